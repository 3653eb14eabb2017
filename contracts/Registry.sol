// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Law} from "./generated/Law.sol";
import {BabyJubJub} from "./BabyJubJub.sol";
import {ICloisterCore} from "./ICloister.sol";
import {Store} from "./Store.sol";

/// @title Who stands behind an account on L1, and the queue of what L1 asks of the batches.
/// @notice Every request that enters the queue can be served: the key is checked here, the view key
/// is one that the operator said it holds.
abstract contract Registry is Store, EIP712, ICloisterCore {
    bytes32 private constant REGISTRATION_TYPEHASH = keccak256(
        "Registration(address l1Owner,uint256 ownerX,uint256 ownerY,uint256 viewKeyHash,uint256 nonce)"
    );

    function register(uint256 x, uint256 y, uint256 viewKeyHash, bytes calldata operatorSignature)
        external
        returns (uint256 index)
    {
        _requireOpen();
        index = _nextAccount;
        if (index >= Law.ACCOUNT_UPPER_BOUND) revert AccountMustBeAvailable();
        _requireKey(x, y);
        _requireWord(viewKeyHash);
        uint256 nonce = _registrationNonce[msg.sender];
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(REGISTRATION_TYPEHASH, msg.sender, x, y, viewKeyHash, nonce))
        );
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecover(digest, operatorSignature);
        if (problem != ECDSA.RecoverError.NoError || !hasRole(OPERATOR, signer)) {
            revert RegistrationMustBeCountersigned();
        }

        _registrationNonce[msg.sender] = nonce + 1;
        _nextAccount = index + 1;
        _accounts[index].l1Owner = msg.sender;
        emit Registered(index, msg.sender);
        _queue(Law.REQUEST_REGISTER, index, x, y, viewKeyHash);
    }

    /// @notice One rotation of an account may wait at a time: a batch serves one request of an
    /// account, so a row of them would hold up the queue for everybody.
    function rotate(uint256 index, uint256 x, uint256 y) external {
        _requireNotFrozen();
        _requireL1Owner(index);
        Account storage target = _accounts[index];
        if (target.rotation > _served()) revert RotationMustNotBePending(index);
        _requireKey(x, y);

        target.rotation = uint64(_counters.requestCount) + 1;
        _queue(Law.REQUEST_ROTATE, index, x, y, 0);
    }

    function offerL1Owner(uint256 index, address nextL1Owner) external {
        _requireL1Owner(index);

        _accounts[index].nextL1Owner = nextL1Owner;
        emit L1OwnerOffered(index, nextL1Owner);
    }

    function acceptL1Owner(uint256 index) external {
        if (msg.sender != _accounts[index].nextL1Owner) revert CallerMustBeNextL1Owner(index);

        _accounts[index].l1Owner = msg.sender;
        _accounts[index].nextL1Owner = address(0);
        emit L1OwnerChanged(index, msg.sender);
    }

    function _requireKey(uint256 x, uint256 y) private pure {
        _requireWord(x);
        _requireWord(y);
        if (!BabyJubJub.isOnCurve(x, y)) revert KeyMustBeOnCurve();
        if (BabyJubJub.isSmallOrder(x, y)) revert KeyMustBeInSubgroup();
    }
}

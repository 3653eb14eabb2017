// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Law} from "./generated/Law.sol";
import {BabyJubJub} from "./BabyJubJub.sol";
import {Store} from "./Store.sol";

/// @title Who stands behind an account on L1, and the queue of what L1 asks of the batches.
/// @notice Every request that enters the queue can be served: the key is checked here, the view key
/// is one that the operator said it holds.
abstract contract Registry is Store, EIP712 {
    bytes32 private constant REGISTRATION_TYPEHASH = keccak256(
        "Registration(address l1Owner,uint256 ownerX,uint256 ownerY,uint256 viewKeyHash,uint256 nonce)"
    );

    mapping(uint256 serial => Request request) internal _requests;
    mapping(uint256 index => Account account) internal _accounts;
    mapping(address l1Owner => uint256 nonce) public registrationNonce;
    /// @notice The index that the next registration takes.
    uint256 public nextAccount = Law.FIRST_MEMBER_INDEX;

    function register(uint256 x, uint256 y, uint256 viewKeyHash, bytes calldata operatorSignature)
        external
        returns (uint256 index)
    {
        index = nextAccount;
        if (index >= Law.ACCOUNT_UPPER_BOUND) revert AccountMustBeAvailable();
        _requireKey(x, y);
        _requireWord(viewKeyHash);
        uint256 nonce = registrationNonce[msg.sender];
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(REGISTRATION_TYPEHASH, msg.sender, x, y, viewKeyHash, nonce))
        );
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecover(digest, operatorSignature);
        if (problem != ECDSA.RecoverError.NoError || !hasRole(OPERATOR, signer)) {
            revert RegistrationMustBeCountersigned();
        }

        registrationNonce[msg.sender] = nonce + 1;
        nextAccount = index + 1;
        _accounts[index].l1Owner = msg.sender;
        emit Registered(index, msg.sender);
        _queue(Law.REQUEST_REGISTER, index, x, y, viewKeyHash);
    }

    /// @notice One rotation of an account may wait at a time: a batch serves one request of an
    /// account, so a row of them would hold up the queue for everybody.
    function rotate(uint256 index, uint256 x, uint256 y) external {
        Account storage target = _accounts[index];
        if (msg.sender != target.l1Owner) revert CallerMustBeL1Owner(index);
        if (target.rotation > _progress[_counters.batchNumber].served) {
            revert RotationMustNotBePending(index);
        }
        _requireKey(x, y);

        target.rotation = _counters.requestCount + 1;
        _queue(Law.REQUEST_ROTATE, index, x, y, 0);
    }

    function offerL1Owner(uint256 index, address nextL1Owner) external {
        if (msg.sender != _accounts[index].l1Owner) revert CallerMustBeL1Owner(index);

        _accounts[index].nextL1Owner = nextL1Owner;
        emit L1OwnerOffered(index, nextL1Owner);
    }

    function acceptL1Owner(uint256 index) external {
        if (msg.sender != _accounts[index].nextL1Owner) revert CallerMustBeNextL1Owner(index);

        _accounts[index].l1Owner = msg.sender;
        _accounts[index].nextL1Owner = address(0);
        emit L1OwnerChanged(index, msg.sender);
    }

    function requestCount() external view returns (uint256) {
        return _counters.requestCount;
    }

    function request(uint256 serial) external view returns (Request memory) {
        return _requests[serial];
    }

    function account(uint256 index) external view returns (Account memory) {
        return _accounts[index];
    }

    /// @dev Writes the next request of the queue. Its serial is its position.
    function _queue(uint256 kind, uint256 index, uint256 x, uint256 y, uint256 viewKeyHash)
        private
    {
        uint64 serial = _counters.requestCount;
        _counters.requestCount = serial + 1;
        // kind < 8; index < 2^18.
        _requests[serial] =
            Request(uint8(kind), uint32(index), x, y, viewKeyHash);
        emit RequestQueued(serial, index, uint8(kind), x, y, viewKeyHash);
    }

    function _requireKey(uint256 x, uint256 y) private pure {
        _requireWord(x);
        _requireWord(y);
        if (!BabyJubJub.isOnCurve(x, y)) revert KeyMustBeOnCurve();
        if (BabyJubJub.isSmallOrder(x, y)) revert KeyMustBeInSubgroup();
    }
}

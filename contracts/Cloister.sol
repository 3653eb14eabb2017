// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Law} from "./generated/Law.sol";
import {Batches} from "./Batches.sol";
import {ChangeLock} from "./ChangeLock.sol";
import {Store} from "./Store.sol";

/// @title The clearing house on L1: it holds the money, orders the batches, verifies and pays.
/// @notice Not upgradeable: what it does not know itself it delegates to an extension that is fixed
/// at deployment and shares its storage. It makes the lock that is its only admin once it is
/// sealed, and on a public chain takes nothing in before.
contract Cloister is Batches {
    uint256 private constant FEE_UPPER_BOUND = 1 << Law.FEE_BITS;

    /// @notice The code of the other half.
    address public immutable extension;

    constructor(Configuration memory configuration, address extension_)
        EIP712("Cloister", "1")
        Store(configuration.terms)
    {
        _requireWord(configuration.genesisRoot);
        _requireWord(configuration.feeAccountLeaf);
        _requireWord(configuration.feeAccountViewKeyHash);
        _requireWord(configuration.feeAccountMeta);
        _requireWord(configuration.settlementRoot);
        if (configuration.fee >= FEE_UPPER_BOUND) revert FeeMustBeInRange(configuration.fee);
        if (Store(extension_).termsHash() != termsHash) revert ExtensionMustAgree(extension_);

        extension = extension_;
        domain = uint256(keccak256(abi.encode(block.chainid, address(this)))) % Law.FIELD_MODULUS;
        _settlementRoot = configuration.settlementRoot;
        _roots[0] = configuration.genesisRoot;
        _nextAccount = Law.FIRST_MEMBER_INDEX;
        _progress[0] = Progress({
            tableNumber: 0,
            time: uint64(block.timestamp),
            accountCount: uint32(Law.FIRST_MEMBER_INDEX),
            served: 0
        });
        _grantRole(ADMIN, configuration.admin);
        _grantRole(OPERATOR, configuration.operator);
        _grantRole(ORACLE, configuration.oracle);
        _grantRole(GUARDIAN, configuration.guardian);
        _counters.isPaused = !_isLocalChain();
        _letsAnybodyForge = configuration.letAnybodyForgeProofs;
        _lock = address(
            new ChangeLock(
                _isLocalChain() ? 0 : _wayOutOf(configuration.terms),
                configuration.changeDelay,
                configuration.admin,
                configuration.guardian
            )
        );
        emit Genesis(
            configuration.genesisRoot,
            configuration.feeAccountLeaf,
            configuration.feeAccountViewKeyHash,
            configuration.feeAccountMeta
        );
        _counters.fee = uint40(configuration.fee);
        emit FeeSet(configuration.fee);
    }

    /// @notice Everything else is the extension's, run on this storage.
    fallback() external {
        address target = extension;
        // Takes all memory from 0, which is safe because it never returns to Solidity.
        assembly {
            calldatacopy(0, 0, calldatasize())
            let holds := delegatecall(gas(), target, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch holds
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}

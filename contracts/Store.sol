// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Law} from "./generated/Law.sol";
import {ICloister} from "./ICloister.sol";

/// @title What more than one part of the contract reads: roles, counters, batches and tokens.
abstract contract Store is ICloister, AccessControl {
    /// @notice Adds tokens and shapes, sets the fee, grants roles. Without a time lock for now.
    bytes32 public constant ADMIN = DEFAULT_ADMIN_ROLE;
    /// @notice Submits batches and countersigns registrations.
    bytes32 public constant OPERATOR = keccak256("OPERATOR");
    /// @notice Posts tables and settlement values.
    bytes32 public constant ORACLE = keccak256("ORACLE");

    /// @dev Amounts of lots are below this, so a Token's four totals fit one slot of storage.
    uint256 internal constant AMOUNT_UPPER_BOUND = 1 << Law.AMOUNT_BITS;

    /// @dev One slot: a batch reads it once. 64 + 64 + 64 + 40 + 8 = 240 bits.
    struct Counters {
        uint64 batchNumber;
        uint64 tableNumber;
        uint64 requestCount;
        uint40 fee;
        uint8 mode;
    }

    /// @dev One slot per batch: the next batch reads it beside the root. 64 + 64 + 32 + 64 = 224.
    struct Progress {
        uint64 tableNumber;
        uint64 time;
        uint32 accountCount;
        uint64 served;
    }

    Counters internal _counters;
    mapping(uint256 number => uint256 root) public roots;
    mapping(uint256 number => Progress progress) internal _progress;
    mapping(uint256 number => bytes32 root) internal _withdrawalsRoots;
    mapping(uint256 id => Token token) internal _tokens;

    function _requireWord(uint256 word) internal pure {
        if (word >= Law.FIELD_MODULUS) revert WordMustBeBelowModulus();
    }

    function _requireAmount(uint256 amount) internal pure {
        if (amount == 0 || amount >= AMOUNT_UPPER_BOUND) revert AmountMustBeInRange(amount);
    }

    function _knownToken(uint256 id) internal view returns (Token storage token) {
        token = _tokens[id];
        if (token.token == address(0)) revert TokenMustBeKnown(id);
    }

    function fee() external view returns (uint256) {
        return _counters.fee;
    }

    function mode() external view returns (uint256) {
        return _counters.mode;
    }

    function batchNumber() external view returns (uint256) {
        return _counters.batchNumber;
    }

    function batches(uint256 number) external view returns (BatchRecord memory) {
        Progress memory progress = _progress[number];
        return BatchRecord({
            root: roots[number],
            tableNumber: progress.tableNumber,
            time: progress.time,
            accountCount: progress.accountCount,
            served: progress.served,
            withdrawalsRoot: _withdrawalsRoots[number]
        });
    }

    function accountCount() external view returns (uint256) {
        return _progress[_counters.batchNumber].accountCount;
    }

    function served() external view returns (uint256) {
        return _progress[_counters.batchNumber].served;
    }

    function tokens(uint256 id) external view returns (Token memory) {
        return _tokens[id];
    }

    function vault(uint256 id) external view returns (uint256) {
        return _tokens[id].vault;
    }

    function owed(uint256 id) external view returns (uint256) {
        return _tokens[id].owed;
    }

    function unconsumedDeposits(uint256 id) external view returns (uint256) {
        return _tokens[id].unconsumed;
    }
}

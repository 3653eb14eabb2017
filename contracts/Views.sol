// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloisterExtension} from "./ICloister.sol";
import {Store} from "./Store.sol";

/// @title What can be read of the house.
abstract contract Views is Store, ICloisterExtension {
    function terms() external view returns (Terms memory) {
        return Terms({
            refundDelay: refundDelay,
            forceDelay: _forceDelay,
            fullDelay: _fullDelay,
            unwindDelay: _unwindDelay,
            batchDelay: _batchDelay,
            tableDelay: _tableDelay,
            sweepDelay: _sweepDelay,
            tableLife: _tableLife,
            lateSweepDelay: _lateSweepDelay,
            sweepEpoch: _sweepEpoch,
            flagDelay: _flagDelay,
            callDelay: _callDelay,
            claimsWindow: _claimsWindow,
            forcePrice: _forcePrice
        });
    }

    function fee() external view returns (uint256) {
        return _counters.fee;
    }

    function nextFee() external view returns (uint256) {
        return _counters.isFeeChanging ? _nextFee : _counters.fee;
    }

    function isPaused() external view returns (bool) {
        return _counters.isPaused;
    }

    function isSealed() external view returns (bool) {
        return _isSealed;
    }

    function lock() external view returns (address) {
        return _lock;
    }

    function mode() external view returns (uint256) {
        return _counters.mode;
    }

    function batchNumber() external view returns (uint256) {
        return _counters.batchNumber;
    }

    function roots(uint256 number) external view returns (uint256) {
        return _roots[number];
    }

    function batches(uint256 number) external view returns (BatchRecord memory) {
        Progress memory progress = _progress[number];
        return BatchRecord({
            root: _roots[number],
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
        return _served();
    }

    function requestCount() external view returns (uint256) {
        return _counters.requestCount;
    }

    function request(uint256 serial) external view returns (Request memory) {
        return _requests[serial];
    }

    function nextAccount() external view returns (uint256) {
        return _nextAccount;
    }

    function account(uint256 index) external view returns (Account memory) {
        return _accounts[index];
    }

    function registrationNonce(address l1Owner) external view returns (uint256) {
        return _registrationNonce[l1Owner];
    }

    function depositCount() external view returns (uint256) {
        return _depositCount;
    }

    function deposits(uint256 id) external view returns (Deposit memory) {
        return _deposits[id];
    }

    function tokens(uint256 id) external view returns (Token memory) {
        return _tokens[id];
    }

    function tokenIds() external view returns (uint256[] memory) {
        return _tokenIds;
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

    function shapes(uint256 id) external view returns (Shape memory) {
        return _shapes[id];
    }

    function tableNumber() external view returns (uint256) {
        return _counters.tableNumber;
    }

    function confirmedTableNumber() external view returns (uint256) {
        return _counters.confirmedTable;
    }

    function tables(uint256 number)
        external
        view
        returns (
            uint256 root,
            uint256 time,
            bool isConfirmed,
            bytes32 marksHash,
            uint256 registerRoot
        )
    {
        Table storage table = _tables[number];
        return (table.root, table.time, table.isConfirmed, table.marksHash, table.settlementRoot);
    }

    function settlementRoot() external view returns (uint256) {
        return _settlementRoot;
    }

    function settlement(uint256 id) external view returns (bool isSet, int256 value) {
        return (_settled[id].isSet, _settled[id].value);
    }

    function isClaimed(uint256 batch, uint256 slot) external view returns (bool) {
        return slot < 256 && (_claimed[batch] >> slot) & 1 == 1;
    }

    function serviceTime() external view returns (uint256) {
        return _serviceTime();
    }
}

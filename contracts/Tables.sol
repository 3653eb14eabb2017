// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";
import {Listing} from "./Listing.sol";

/// @title What the oracle says: tables of values, and settlement values that never change.
/// @notice A table is confirmed, or indicative until it is confirmed. While the latest one is
/// indicative the house only reduces risk, and pays out nothing new.
abstract contract Tables is Listing {
    /// @dev INSTRUMENT_BITS and VALUE_BITS of circuits/params.ts, which Law.sol does not carry yet.
    uint256 private constant INSTRUMENT_UPPER_BOUND = 1 << 28;
    int256 private constant VALUE_UPPER_BOUND = 1 << 48;
    /// @dev Entries of the settlement register that a batch opens as one.
    uint256 private constant WINDOW_SIZE = 8 ** Law.WINDOW_DEPTH;

    function postTable(
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        bytes calldata marks,
        bool isConfirmed
    ) external onlyRole(ORACLE) returns (uint256 number) {
        _requireNotFrozen();
        _requireWord(root);
        _requireWord(marksRoot);

        number = uint256(_counters.tableNumber) + 1;
        _counters.tableNumber = uint32(number);
        _tables[number] = Table({
            root: root,
            settlementRoot: _settlementRoot,
            marksHash: keccak256(marks),
            time: uint64(block.timestamp),
            isConfirmed: isConfirmed
        });
        emit TablePosted(number, root, marksRoot, dataHash, block.timestamp, marks);
        if (isConfirmed) _confirm(number, block.timestamp);
        else _stopClock();
    }

    function confirmTable(uint256 number) external onlyRole(ORACLE) {
        _requireNotFrozen();
        if (number == 0 || number != _counters.tableNumber) {
            revert TableMustBeCurrent(number, _counters.tableNumber);
        }
        Table storage table = _tables[number];
        if (table.isConfirmed) revert TableMustBeIndicative(number);

        table.isConfirmed = true;
        _confirm(number, table.time);
    }

    function postSettlement(uint256[] calldata ids, int256[] calldata values, uint256 newRoot)
        external
        onlyRole(ORACLE)
    {
        _requireNotFrozen();
        if (ids.length != values.length) revert SettlementListsMustMatch();
        _requireWord(newRoot);
        uint256 room = settlementRoom();
        if (ids.length > room) revert SettlementMustHaveRoom(ids.length, room);
        for (uint256 i = 0; i < ids.length; i++) {
            uint256 id = ids[i];
            int256 value = values[i];
            if (id < Law.TOKEN_UPPER_BOUND || id >= INSTRUMENT_UPPER_BOUND) {
                revert SettlementIdMustBeInRange(id);
            }
            if (value <= -VALUE_UPPER_BOUND || value >= VALUE_UPPER_BOUND) {
                revert SettlementMustFitWidth(id, value);
            }
            // Written here, so that the same id twice in one list is refused as well.
            if (_settled[id].isSet) revert SettlementMustBeNew(id);
            _settled[id] = Settled({value: int64(value), isSet: true});
        }

        _fill(ids.length);
        _settlementRoot = newRoot;
        emit SettlementPosted(ids, values, newRoot);
    }

    /// @dev A batch opens WINDOW_COUNT windows of the register, so that is how many an account may
    /// hold settled and unconverted balances of: in one more no batch could touch it, and a request
    /// of it would stop the queue. All before the last window opened counts as converted after
    /// batchDelay, so that no operator holds up a settlement by saying nothing.
    function settlementRoom() public view returns (uint256) {
        Register memory register = _register;
        uint256 done = register.converted / WINDOW_SIZE;
        uint256 last = register.count == 0 ? 0 : (register.count - 1) / WINDOW_SIZE;
        // That the last window could be opened says that all but the others of a batch were done.
        if (last != 0 && block.timestamp < register.openedAt + _batchDelay) {
            last = last < Law.WINDOW_COUNT ? 0 : last - (Law.WINDOW_COUNT - 1);
        }
        if (last > done) done = last;
        return WINDOW_SIZE * (done + Law.WINDOW_COUNT) - register.count;
    }

    function _fill(uint256 entries) private {
        Register storage register = _register;
        uint256 count = register.count;
        uint256 windows = (count + WINDOW_SIZE - 1) / WINDOW_SIZE;
        if (count + entries > windows * WINDOW_SIZE) register.openedAt = uint64(block.timestamp);
        register.count = uint64(count + entries);
    }

    /// @dev The age of a table counts from its posting, also when it is confirmed later.
    function _confirm(uint256 number, uint256 postedAt) private {
        _counters.confirmedTable = uint32(number);
        _stopClock();
        uint256 until = postedAt + _tableLife;
        if (until >= block.timestamp) {
            _clock.until = uint64(until);
        } else {
            // An indicative table may be confirmed when it is too old already: then not even this
            // second serves.
            uint64 past = uint64(block.timestamp - 1);
            (_clock.since, _clock.until) = (past, past);
        }
        emit TableConfirmed(number);
        _beginSweep(number);
    }

    /// @dev Keeps what the service clock has counted, and stops it.
    function _stopClock() private {
        uint64 counted = uint64(_serviceTime());
        uint64 time = uint64(block.timestamp);
        (_clock.counted, _clock.since, _clock.until) = (counted, time, time);
    }

    /// @dev A confirmed table may be the first of its epoch: see Sweeps.sol.
    function _beginSweep(uint256 table) internal virtual;
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";
import {Store} from "./Store.sol";

/// @title What the oracle says: tables of values, and settlement values that never change.
/// @notice One signer for now; every table counts as confirmed when it is posted.
abstract contract Settlement is Store {
    /// @dev INSTRUMENT_BITS and VALUE_BITS of circuits/params.ts, which Law.sol does not carry yet.
    uint256 private constant INSTRUMENT_UPPER_BOUND = 1 << 28;
    int256 private constant VALUE_UPPER_BOUND = 1 << 48;

    struct Table {
        uint256 root;
        uint256 time;
    }

    struct Settled {
        int64 value;
        bool isSet;
    }

    /// @notice Root and time of posting of each table; numbers begin at 1.
    mapping(uint256 number => Table table) public tables;
    mapping(uint256 id => Settled settled) private _settled;
    /// @notice Root of the register of settlement values.
    uint256 public settlementRoot;

    function postTable(uint256 root, uint256 marksRoot, bytes32 dataHash, bytes calldata marks)
        external
        onlyRole(ORACLE)
        returns (uint256 number)
    {
        _requireWord(root);
        _requireWord(marksRoot);

        number = ++_counters.tableNumber;
        tables[number] = Table({root: root, time: block.timestamp});
        emit TablePosted(number, root, marksRoot, dataHash, block.timestamp, marks);
    }

    function postSettlement(uint256[] calldata ids, int256[] calldata values, uint256 newRoot)
        external
        onlyRole(ORACLE)
    {
        if (ids.length != values.length) revert SettlementListsMustMatch();
        _requireWord(newRoot);
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

        settlementRoot = newRoot;
        emit SettlementPosted(ids, values, newRoot);
    }

    function tableNumber() external view returns (uint256) {
        return _counters.tableNumber;
    }

    function settlement(uint256 id) external view returns (bool isSet, int256 value) {
        return (_settled[id].isSet, _settled[id].value);
    }
}

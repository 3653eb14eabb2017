// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloisterCore} from "./ICloister.sol";
import {Store} from "./Store.sol";

/// @title How far what has settled is converted: with that, the register goes on.
/// @notice Accounts are hidden from L1, so this is the operator's word; see Tables.settlementRoom
/// for what it is asked for, and what becomes of its silence.
abstract contract Conversions is Store, ICloisterCore {
    function confirmConverted(uint256 count) external onlyRole(OPERATOR) {
        Register memory register = _register;
        if (count <= register.converted || count > register.count) {
            revert ConversionMustAdvance(count, register.converted, register.count);
        }

        _register.converted = uint64(count);
        emit ConversionConfirmed(count);
    }

    function convertedCount() external view returns (uint256) {
        return _register.converted;
    }
}

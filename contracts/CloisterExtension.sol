// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Store} from "./Store.sol";
import {WayOut} from "./WayOut.sol";

/// @title The other half of the house: tables, listings, views, sweeps and the way out.
/// @notice Cloister delegates every call it does not know to this code, which then runs on
/// Cloister's storage. On its own it has no roles, no accounts and no tokens.
contract CloisterExtension is WayOut {
    constructor(Terms memory terms_) Store(terms_) {}
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Cloister} from "../../contracts/Cloister.sol";

/// @notice The code of the house, byte for byte, behind a constructor that adds a verifier of its own
/// and says nothing of it.
contract SeededHouse is Cloister {
    constructor(Configuration memory configuration, address extension_, address verifier)
        Cloister(configuration, extension_)
    {
        _shapes[7].verifier = verifier;
    }
}

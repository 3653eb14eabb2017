// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IEscapeVerifier} from "../../contracts/IEscapeVerifier.sol";

/// @title Accepts one claim only, the one that a test says it expects. Or all of them.
contract ExpectingEscapeVerifier is IEscapeVerifier {
    uint256[5] private _expected;
    bool private _acceptsAll;

    function expectClaim(uint256[5] calldata expected) external {
        _expected = expected;
    }

    function acceptAll() external {
        _acceptsAll = true;
    }

    function verifyProof(
        uint256[2] calldata,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[5] calldata input
    ) external view returns (bool) {
        if (_acceptsAll) return true;
        for (uint256 i = 0; i < 5; i++) {
            if (input[i] != _expected[i]) return false;
        }
        return true;
    }
}

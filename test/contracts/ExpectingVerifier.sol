// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../contracts/IGroth16Verifier.sol";

/// @title Accepts one statement only: the (C, x, y) that a test says it expects. Or all of them.
contract ExpectingVerifier is IGroth16Verifier {
    uint256[3] private _expected;
    bool private _acceptsAll;

    function expectStatement(uint256 c, uint256 x, uint256 y) external {
        _expected = [c, x, y];
    }

    function acceptAll() external {
        _acceptsAll = true;
    }

    function verifyProof(
        uint256[2] calldata,
        uint256[2][2] calldata,
        uint256[2] calldata,
        uint256[3] calldata input
    ) external view returns (bool) {
        return _acceptsAll
            || (input[0] == _expected[0] && input[1] == _expected[1] && input[2] == _expected[2]);
    }
}

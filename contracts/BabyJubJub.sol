// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";

/// @title The curve of the owner keys: a x^2 + y^2 = 1 + d x^2 y^2 over the scalar field of BN254.
/// @notice a is a square and d is none, so the formulas below hold for every point of the curve.
library BabyJubJub {
    uint256 private constant A = 168700;
    uint256 private constant D = 168696;
    uint256 private constant P = Law.FIELD_MODULUS;

    /// @param x Below the modulus, as is y; the caller's guard says so under its own name.
    function isOnCurve(uint256 x, uint256 y) internal pure returns (bool) {
        uint256 xx = mulmod(x, x, P);
        uint256 yy = mulmod(y, y, P);
        uint256 left = addmod(mulmod(A, xx, P), yy, P);
        uint256 right = addmod(1, mulmod(D, mulmod(xx, yy, P), P), P);
        return left == right;
    }

    /// @notice Whether 8 (x, y) is the identity, for a point that is on the curve. The order of the
    /// curve is 8 times a prime, so every other point leaves a point of that prime order.
    function isSmallOrder(uint256 x, uint256 y) internal pure returns (bool) {
        uint256 z = 1;
        for (uint256 i = 0; i < 3; i++) {
            (x, y, z) = _double(x, y, z);
        }
        return x == 0 && y == z;
    }

    /// @dev dbl-2008-bbjlp of the Explicit-Formulas Database, in projective coordinates.
    function _double(uint256 x, uint256 y, uint256 z)
        private
        pure
        returns (uint256, uint256, uint256)
    {
        uint256 sum = addmod(x, y, P);
        uint256 b = mulmod(sum, sum, P);
        uint256 c = mulmod(x, x, P);
        uint256 d = mulmod(y, y, P);
        uint256 e = mulmod(A, c, P);
        uint256 f = addmod(e, d, P);
        uint256 h = mulmod(z, z, P);
        uint256 j = addmod(f, P - mulmod(2, h, P), P);
        return (
            mulmod(addmod(b, (P - c) + (P - d), P), j, P),
            mulmod(f, addmod(e, P - d, P), P),
            mulmod(f, j, P)
        );
    }
}

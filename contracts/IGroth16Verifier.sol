// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title What snarkjs exports as the verifier of one shape of batch, with the inputs (C, x, y).
interface IGroth16Verifier {
    /// @param a Point of G1.
    /// @param b Point of G2, the imaginary part of each coordinate first, as snarkjs exports it.
    /// @param c Point of G1.
    /// @param input The public inputs (C, x, y), each below the modulus of the scalar field.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata input
    ) external view returns (bool);
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title What snarkjs exports as the verifier of claims after a freeze.
interface IEscapeVerifier {
    /// @param a Point of G1.
    /// @param b Point of G2, the imaginary part of each coordinate first, as snarkjs exports it.
    /// @param c Point of G1.
    /// @param input Root of accounts, root of the table, settlement root, account index, equity in
    /// micro-dollars.
    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[5] calldata input
    ) external view returns (bool);
}

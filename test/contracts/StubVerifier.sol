// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "../../contracts/IGroth16Verifier.sol";

/// @title Does the work of a snarkjs verifier of three inputs and then accepts. For gas tests only.
/// @notice Three multiplications, three additions and one pairing of four pairs, on the generators.
contract StubVerifier is IGroth16Verifier {
    uint256 private constant R =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 private constant Q =
        21888242871839275222246405745257275088696311157297823662689037894645226208583;
    uint256 private constant G2_X1 =
        11559732032986387107991004021392285783925812861821192530917403151452391805634;
    uint256 private constant G2_X0 =
        10857046999023057135944570762232829481370756359578518086990519993285655852781;
    uint256 private constant G2_Y1 =
        4082367875863433681332203403145435568316851327593401208105741076214120093531;
    uint256 private constant G2_Y0 =
        8495653923123431417604973247489272438418190587263600148770280649306958101930;

    function verifyProof(
        uint256[2] calldata a,
        uint256[2][2] calldata b,
        uint256[2] calldata c,
        uint256[3] calldata input
    ) external view returns (bool) {
        assembly ("memory-safe") {
            function fail() {
                mstore(0, 0)
                return(0, 0x20)
            }
            function accumulate(sum, scalar) {
                let free := mload(0x40)
                if iszero(lt(scalar, R)) { fail() }
                mstore(free, 1)
                mstore(add(free, 32), 2)
                mstore(add(free, 64), scalar)
                if iszero(staticcall(gas(), 7, free, 96, free, 64)) { fail() }
                mstore(add(free, 64), mload(sum))
                mstore(add(free, 96), mload(add(sum, 32)))
                if iszero(staticcall(gas(), 6, free, 128, sum, 64)) { fail() }
            }
            function generator(to) {
                mstore(to, G2_X1)
                mstore(add(to, 32), G2_X0)
                mstore(add(to, 64), G2_Y1)
                mstore(add(to, 96), G2_Y0)
            }
            let pairs := mload(0x40)
            mstore(0x40, add(pairs, 832))
            let sum := add(pairs, 384)
            mstore(sum, 1)
            mstore(add(sum, 32), 2)
            accumulate(sum, calldataload(input))
            accumulate(sum, calldataload(add(input, 32)))
            accumulate(sum, calldataload(add(input, 64)))
            mstore(pairs, calldataload(a))
            mstore(add(pairs, 32), mod(sub(Q, calldataload(add(a, 32))), Q))
            calldatacopy(add(pairs, 64), b, 128)
            mstore(add(pairs, 192), 1)
            mstore(add(pairs, 224), 2)
            generator(add(pairs, 256))
            generator(add(pairs, 448))
            mstore(add(pairs, 576), calldataload(c))
            mstore(add(pairs, 608), calldataload(add(c, 32)))
            generator(add(pairs, 640))
            // The pairing must run, on points of the curve; what it says is ignored.
            if iszero(staticcall(gas(), 8, pairs, 768, pairs, 32)) { fail() }
        }
        return true;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";

/// @title The statement of a batch: its words in one stretch of memory, hashed, evaluated and
/// emitted where they lie.
/// @notice x = keccak256(TAG, chainId, contract, keyHash, C, words...) mod p, each 32 bytes;
/// y = sum of words[i] * x^i mod p. The five elements before the words are the prefix.
library WordLib {
    bytes32 internal constant TAG = keccak256("cloister.v1");
    uint256 internal constant PREFIX_COUNT = 5;

    /// @dev All zero but the prefix: what is not filled afterwards is an unused slot.
    function allocate(bytes32 keyHash, uint256 commitment, uint256 wordCount)
        internal
        view
        returns (uint256[] memory statement)
    {
        statement = new uint256[](PREFIX_COUNT + wordCount);
        statement[0] = uint256(TAG);
        statement[1] = block.chainid;
        statement[2] = uint160(address(this));
        statement[3] = uint256(keyHash);
        statement[4] = commitment;
    }

    /// @dev Copies calldata words to the end of the statement. The caller made it long enough.
    function fillTail(uint256[] memory statement, uint256[] calldata tail) internal pure {
        assert(statement.length >= PREFIX_COUNT + tail.length);
        assembly ("memory-safe") {
            let size := shl(5, tail.length)
            let end := add(add(statement, 32), shl(5, mload(statement)))
            calldatacopy(sub(end, size), tail.offset, size)
        }
    }

    /// @return x The challenge.
    /// @return y The words evaluated at it.
    /// @return isValid Whether every word is below the modulus; x and y mean nothing otherwise.
    function evaluate(uint256[] memory statement)
        internal
        pure
        returns (uint256 x, uint256 y, bool isValid)
    {
        uint256 p = Law.FIELD_MODULUS;
        // Reads the array only. One pass from the last word to the first: Horner's rule, y kept
        // below 2^255 between steps, and the modulus check of each word. Two words a turn, for gas;
        // an odd count leaves the first word for the end.
        assembly ("memory-safe") {
            let data := add(statement, 32)
            let size := shl(5, mload(statement))
            x := mod(keccak256(data, size), p)
            let first := add(data, 160) // 32 * PREFIX_COUNT
            let second := add(first, 32)
            let cursor := add(data, size)
            isValid := 1
            for {} gt(cursor, second) {} {
                let high := mload(sub(cursor, 32))
                cursor := sub(cursor, 64)
                let low := mload(cursor)
                isValid := and(isValid, and(lt(high, p), lt(low, p)))
                y := add(mulmod(add(mulmod(y, x, p), high), x, p), low)
            }
            if gt(cursor, first) {
                let word := mload(first)
                isValid := and(isValid, lt(word, p))
                y := add(mulmod(y, x, p), word)
            }
            y := mod(y, p)
        }
    }

    /// @dev Emits Batch(batch, shapeId, newRoot, C, x, words) from where the words lie: the five
    /// places of the prefix become (newRoot, C, x, offset of words, length of words). The statement
    /// is spent afterwards.
    function emitBatch(
        uint256[] memory statement,
        bytes32 topic,
        uint256 batch,
        uint256 shapeId,
        uint256 x
    ) internal {
        uint256 wordCount = statement.length - PREFIX_COUNT;
        statement[0] = statement[PREFIX_COUNT + Law.WORD_NEW_ROOT];
        statement[1] = statement[4];
        statement[2] = x;
        statement[3] = 0x80;
        statement[4] = 32 * wordCount;
        assembly ("memory-safe") {
            log3(add(statement, 32), shl(5, mload(statement)), topic, batch, shapeId)
        }
    }
}

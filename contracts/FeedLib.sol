// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IAggregatorV3} from "./IAggregatorV3.sol";

/// @title Asks a price feed so that whatever it does, the asker goes on.
library FeedLib {
    /// @dev Feeds of public chains need about 20,000. Whoever pays cannot make a sound feed look
    /// broken by giving less: EIP-150 keeps back 1/64 of what is left, so a feed that got less than
    /// this leaves at most 1,588 gas behind, and what follows in `post` costs more.
    uint256 internal constant GAS = 100_000;
    uint256 private constant ANSWER_BYTES = 160;
    uint256 internal constant DECIMALS_UPPER_BOUND = 19;
    uint256 private constant PRICE_DECIMALS = 6;
    uint256 private constant ANSWER_UPPER_BOUND = 1 << 128;

    /// @return price In 1e-6, or 0 if the feed reverts, answers short, long ago, in the future, not
    /// above zero, absurdly much, or from a round that is not its own.
    function read(address feed, uint256 decimals, uint256 maxAge)
        internal
        view
        returns (uint256 price)
    {
        bytes memory query = abi.encodeCall(IAggregatorV3.latestRoundData, ());
        uint256[5] memory answer;
        bool isSound;
        // Only five words are copied, however much comes back.
        assembly ("memory-safe") {
            isSound := staticcall(GAS, feed, add(query, 32), mload(query), answer, ANSWER_BYTES)
            isSound := and(isSound, gt(returndatasize(), sub(ANSWER_BYTES, 1)))
        }
        if (!isSound) return 0;
        (uint256 roundId, uint256 value, uint256 updatedAt, uint256 answeredInRound) =
            (answer[0], answer[1], answer[3], answer[4]);
        if (roundId == 0 || answeredInRound < roundId) return 0;
        if (updatedAt == 0 || updatedAt > block.timestamp) return 0;
        if (block.timestamp - updatedAt > maxAge) return 0;
        // A negative answer is far above the bound as an unsigned number.
        if (value == 0 || value >= ANSWER_UPPER_BOUND) return 0;
        return decimals <= PRICE_DECIMALS
            ? value * 10 ** (PRICE_DECIMALS - decimals)
            : value / 10 ** (decimals - PRICE_DECIMALS);
    }
}

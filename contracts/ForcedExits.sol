// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICloisterCore} from "./ICloister.sol";
import {Store} from "./Store.sol";

/// @title Exits that the batches must serve, whatever the operator thinks of it.
/// @notice The price. Each request costs 9/8 of what the one before cost, less what the time since
/// then took off: it halves every hour, in a straight line between the hours. It never falls below
/// `forcePrice`:
///     h = elapsed / 1 hour,  r = elapsed % 1 hour
///     p = floor(last * 9 / 8 / 2^h),  price = max(forcePrice, p - floor(p * r / 2 hours))
/// So 64 requests at once cost about 15,000 times the price at rest together, and a queue kept full
/// for a day far more; a full queue that nobody serves is a ground to freeze.
abstract contract ForcedExits is Store, ReentrancyGuardTransient, ICloisterCore {
    uint256 private constant CAPACITY = 64;
    uint256 private constant HALF_LIFE = 1 hours;
    /// @dev More than all wei of Ethereum; a chain that has more stops here, and does not begin anew.
    uint256 private constant MAX_PRICE = type(uint88).max;

    function forceExit(uint256 index, uint256 tokenId, address to)
        external
        payable
        nonReentrant
        returns (uint256 serial)
    {
        _requireNotFrozen();
        _requireL1Owner(index);
        _knownToken(tokenId);
        if (to == address(0)) revert RecipientMustBeNonzero();
        if (_accounts[index].forcedExit > _served()) revert ForcedExitMustNotBePending(index);
        uint256 last = _forcedAt[index][tokenId];
        if (last != 0 && block.timestamp < last + _unwindDelay) {
            revert ForcedExitMustAwaitUnwind(last + _unwindDelay);
        }
        ForcedQueue memory queue = _forced;
        if (queue.pending >= CAPACITY) revert QueueMustHaveRoom(CAPACITY);
        uint256 price = _priceOf(queue);
        if (msg.value < price) revert PriceMustBePaid(price, msg.value);

        serial = _queue(FORCED_EXIT, index, tokenId, uint160(to), 0);
        _accounts[index].forcedExit = uint64(serial + 1);
        _forcedAt[index][tokenId] = block.timestamp;
        // Casts are safe: both clocks count seconds, and the price is below its bound.
        if (++queue.pending == CAPACITY) {
            if (_fullSince(queue) == 0) {
                queue.fullSince = uint40(_serviceTime() + 1);
                queue.fullAt = uint40(block.timestamp);
            }
            queue.roomAt = 0;
        }
        queue.pricedAt = uint40(block.timestamp);
        queue.price = uint88(price);
        _forced = queue;
        emit ForcedExitRequested(serial, index, tokenId, to, price);

        _send(address(0), price);
        if (msg.value > price) _send(msg.sender, msg.value - price);
    }

    function forcedExitQueue() external view returns (ForcedExitQueue memory) {
        ForcedQueue memory queue = _forced;
        return ForcedExitQueue({
            pending: queue.pending,
            capacity: CAPACITY,
            fullSince: _fullSince(queue),
            price: _priceOf(queue)
        });
    }

    function _priceOf(ForcedQueue memory queue) private view returns (uint256) {
        uint256 elapsed = block.timestamp - queue.pricedAt;
        uint256 halvings = elapsed / HALF_LIFE;
        if (halvings >= 128) return _forcePrice;
        uint256 price = (uint256(queue.price) * 9 / 8) >> halvings;
        price -= price * (elapsed % HALF_LIFE) / (2 * HALF_LIFE);
        if (price > MAX_PRICE) return MAX_PRICE;
        return price > _forcePrice ? price : _forcePrice;
    }

    /// @dev ETH to the zero address is out of the world.
    function _send(address to, uint256 amount) private {
        (bool holds,) = to.call{value: amount}("");
        if (!holds) revert EtherMustBeAccepted(to);
    }
}

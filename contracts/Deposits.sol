// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICloisterCore} from "./ICloister.sol";
import {Store} from "./Store.sol";

/// @title Money on its way in: pulled exactly, credited once by a batch, or returned.
abstract contract Deposits is Store, ReentrancyGuardTransient, ICloisterCore {
    using SafeERC20 for IERC20;

    function deposit(uint256 tokenId, uint256 amount, uint256 commitment)
        external
        nonReentrant
        returns (uint256 id)
    {
        _requireOpen();
        Token storage token = _knownToken(tokenId);
        _requireAmount(amount);
        if (commitment == 0) revert CommitmentMustBeNonzero();
        _requireWord(commitment);
        uint256 lots = token.vault + amount;
        if (lots > token.cap) revert DepositMustFitCap(lots, token.cap);

        // Casts are safe: lots <= cap < 2^55, tokenId < 2^10.
        id = ++_depositCount;
        token.vault = uint64(lots);
        token.unconsumed += uint64(amount);
        _deposits[id] = Deposit({
            commitment: commitment,
            depositor: msg.sender,
            refundRequestedAt: 0,
            token: uint16(tokenId),
            amount: uint64(amount),
            status: DepositStatus.Open
        });
        emit Deposited(id, msg.sender, tokenId, amount, commitment);

        _pullExactly(IERC20(token.token), amount * token.unit); // 55 + 96 = 151 bits
    }

    function requestRefund(uint256 id) external {
        Deposit storage open = _openDeposit(id);
        if (msg.sender != open.depositor) revert CallerMustBeDepositor(id);
        if (open.refundRequestedAt != 0) revert RefundMustNotBeRequested(id);

        open.refundRequestedAt = uint64(block.timestamp);
        emit RefundRequested(id, block.timestamp + refundDelay);
    }

    function takeRefund(uint256 id) external nonReentrant {
        Deposit storage open = _openDeposit(id);
        if (msg.sender != open.depositor) revert CallerMustBeDepositor(id);
        // After a freeze no batch can credit it any more, so nothing is waited for.
        if (!_counters.isFrozen) {
            if (open.refundRequestedAt == 0) revert RefundMustBeRequested(id);
            uint256 dueAt = open.refundRequestedAt + refundDelay;
            if (block.timestamp < dueAt) revert RefundMustBeDue(dueAt);
        }

        Token storage token = _tokens[open.token];
        uint64 amount = open.amount;
        open.status = DepositStatus.Refunded;
        token.vault -= amount;
        token.unconsumed -= amount;
        emit Refunded(id);

        IERC20(token.token).safeTransfer(msg.sender, uint256(amount) * token.unit);
    }

    function _openDeposit(uint256 id) internal view returns (Deposit storage open) {
        open = _deposits[id];
        if (open.status != DepositStatus.Open) revert DepositMustBeOpen(id);
    }

    /// @dev A token that takes a fee, or that moves nothing and says true, is refused.
    function _pullExactly(IERC20 token, uint256 expected) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), expected);
        uint256 received;
        unchecked {
            // A balance that fell wraps around and cannot equal what was expected.
            received = token.balanceOf(address(this)) - before;
        }
        if (received != expected) revert DepositMustBeExact(expected, received);
    }
}

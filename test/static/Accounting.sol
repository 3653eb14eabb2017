// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title The accounting of one token, for solc's model checker: every statement of the contract that
/// writes a total stands here as it stands there, and a test compares them.
/// @dev The checker does not get through the contract itself: custom errors, mappings of structs and
/// calls of tokens are beyond it. So one token is followed, and of its deposits and withdrawals one
/// each, chosen at will, while the others are a sum. What holds for the chosen one holds for all.
contract Accounting {
    uint256 private constant AMOUNT_UPPER_BOUND = 1 << 55;
    uint64 private vault;
    uint64 private owed;
    uint64 private unconsumed;
    uint64 private immutable cap;

    // Ghosts: the chosen deposit and withdrawal, and the sums of all others.
    uint64 private ofDeposit;
    uint64 private ofOtherDeposits;
    uint64 private ofWithdrawal;
    uint64 private ofOtherWithdrawals;

    constructor(uint64 cap_) {
        require(cap_ < AMOUNT_UPPER_BOUND);
        cap = cap_;
    }

    function deposit(uint256 amount, bool isChosen) external {
        require(amount != 0 && amount < AMOUNT_UPPER_BOUND);
        require(!isChosen || ofDeposit == 0);
        uint256 lots = vault + amount;
        require(lots <= cap);
        vault = uint64(lots);
        unconsumed += uint64(amount);
        if (isChosen) ofDeposit = uint64(amount);
        else ofOtherDeposits += uint64(amount);
    }

    function takeRefund(uint64 amount, bool isChosen) external {
        takeOutOfDeposits(amount, isChosen);
        vault -= amount;
        unconsumed -= amount;
    }

    function consume(uint64 amount, bool isChosen) external {
        takeOutOfDeposits(amount, isChosen);
        unconsumed -= amount;
    }

    function owe(uint256 amount, bool isChosen) external {
        require(amount != 0 && amount < AMOUNT_UPPER_BOUND);
        require(!isChosen || ofWithdrawal == 0);
        uint256 free = uint256(vault) - owed - unconsumed;
        require(amount <= free);
        owed += uint64(amount);
        if (isChosen) ofWithdrawal = uint64(amount);
        else ofOtherWithdrawals += uint64(amount);
    }

    function claim(uint256 amount, bool isChosen) external {
        require(amount < AMOUNT_UPPER_BOUND);
        if (isChosen) {
            require(amount == ofWithdrawal);
            ofWithdrawal = 0;
        } else {
            require(amount <= ofOtherWithdrawals);
            ofOtherWithdrawals -= uint64(amount);
        }
        vault -= uint64(amount);
        owed -= uint64(amount);
    }

    function takeOutOfDeposits(uint64 amount, bool isChosen) private {
        if (isChosen) {
            require(amount == ofDeposit);
            ofDeposit = 0;
        } else {
            require(amount <= ofOtherDeposits);
            ofOtherDeposits -= amount;
        }
    }

    function invariant() external view {
        assert(uint256(owed) + unconsumed <= vault);
        assert(vault <= cap);
        assert(unconsumed == uint256(ofDeposit) + ofOtherDeposits);
        assert(owed == uint256(ofWithdrawal) + ofOtherWithdrawals);
    }
}

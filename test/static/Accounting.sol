// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title The accounting of one token, for solc's model checker (CHC).
/// @dev The checker does not get through the contract itself: custom errors and calls of tokens are
/// beyond it. So every statement of the contract that writes a total stands here as it stands there,
/// without casts (a cap below 2^55 lets them pass), and a test compares the two. `balances` is what
/// the contract does not store: the lots that accounts hold.
contract Accounting {
    uint256 private vault;
    uint256 private owed;
    uint256 private unconsumed;
    uint256 private balances;

    function deposit(uint256 amount) external {
        uint256 lots = vault + amount;
        vault = lots;
        unconsumed += amount;
    }

    function takeRefund(uint256 amount) external {
        vault -= amount;
        unconsumed -= amount;
    }

    function consume(uint256 amount) external {
        unconsumed -= amount;
        balances += amount;
    }

    function owe(uint256 amount) external {
        uint256 free = vault - owed - unconsumed;
        require(amount <= free);
        owed += amount;
        balances -= amount;
    }

    /// @dev What a forced exit is paid was checked against what is free before the batch.
    function oweForced(uint256 amount) external {
        require(amount <= vault - owed - unconsumed);
        owed += amount;
        balances -= amount;
    }

    /// @dev A share is a part of the pot: what is free when the house freezes, less what was paid.
    function escapePay(uint256 share) external {
        require(share <= vault - owed - unconsumed);
        vault -= share;
        balances -= share;
    }

    function claim(uint256 amount) external {
        vault -= amount;
        owed -= amount;
    }

    /// @dev Since balances is no less than 0, what is owed and unconsumed never exceeds the vault.
    function invariant() external view {
        assert(vault == owed + unconsumed + balances);
    }
}

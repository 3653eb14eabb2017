// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloister} from "../../contracts/ICloister.sol";
import {ICloisterData} from "../../contracts/ICloisterData.sol";
import {Handler} from "./Handler.sol";

/// @title What must hold after every call, whatever came before it.
contract Money is ICloisterData {
    Handler private _handler;

    function setUp() public {
        _handler = new Handler();
    }

    /// The dice can do all that the house allows: otherwise the invariants would say little.
    function test_everyDoorOpens() public {
        Handler h = _handler;
        h.deposit(0, 0, 900);
        h.deposit(1, 1, 800);
        h.deposit(2, 0, 70);
        h.batch(0x0000100, 0, 0); // credits the first
        h.batch(0x0010100, 0, 0); // and the second
        h.force(0, 0, 1);
        h.force(1, 1, 1);
        h.batch(0x0000030, 300, 100); // serves one, and pays one freely
        h.claim(0, 1);
        h.claim(1, 1);
        h.requestRefund(2);
        h.pass(29 hours);
        h.takeRefund(2);
        h.deposit(2, 1, 5);
        h.pass(29 hours);
        h.pass(29 hours);
        h.freeze(3, 0);
        h.escapeClaim(0, 1_000, 1);
        h.escapeClaim(1, 4_000, 1);
        h.valuePot();
        h.takeRefund(3);
        h.pass(29 hours);
        h.pass(29 hours);
        h.escapeClaim(2, 4_999, 1);
        for (uint256 i = 0; i < 6; i++) h.escapePay(i % 3, i / 3);
        bytes32[9] memory doors = [
            bytes32("deposit"), "batch", "force", "claim", "refund", "freeze", "escapeClaim", "valuePot",
            "escapePay"
        ];
        uint256[9] memory often = [uint256(4), 3, 2, 2, 2, 1, 3, 1, 6];
        for (uint256 i = 0; i < 9; i++) require(h.counts(doors[i]) == often[i], string(abi.encode(doors[i])));
        invariant_vaultIsBalancesOwedAndUnconsumed();
        invariant_sharesFitPotAndClaims();
        invariant_queueIsWhatWaits();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// vault = balances + owed + unconsumed, and the house holds what it accounts for.
    function invariant_vaultIsBalancesOwedAndUnconsumed() public view {
        ICloister house = _handler.house();
        for (uint256 t = 0; t < 2; t++) {
            (uint256 balances, uint256 owed, uint256 unconsumed,, uint256 donated,) = _handler.money(t);
            Token memory token = house.tokens(t + 1);
            require(token.owed == owed, "owed");
            require(token.unconsumed == unconsumed, "unconsumed");
            require(token.vault == balances + owed + unconsumed, "vault");
            require(
                _handler.coins(t).balanceOf(address(house))
                    == uint256(token.vault) * _handler.units(t) + donated,
                "holdings"
            );
        }
        require(address(house).balance == 0, "ether");
    }

    /// After a freeze the pot stands still, and nobody is paid more than all of his claim.
    function invariant_sharesFitPotAndClaims() public view {
        ICloister house = _handler.house();
        require(house.isFrozen() == _handler.isFrozen(), "freeze");
        if (!_handler.isFrozen()) return;
        for (uint256 t = 0; t < 2; t++) {
            (,,, uint256 escaped,, uint256 atFreeze) = _handler.money(t);
            require(house.pot(t + 1) == atFreeze, "pot");
            require(escaped <= atFreeze, "shares");
        }
        for (uint256 who = 0; who < 3; who++) {
            require(_handler.paidTo(who) <= _handler.claimOf(who), "more than all");
        }
    }

    /// The queue of forced exits is as long as what was asked for and not served.
    function invariant_queueIsWhatWaits() public view {
        // The list cannot be read at once: its length is found by the first place that is not there.
        uint256 pending = _handler.house().forcedExitQueue().pending;
        uint256 first = _handler.firstWaiting();
        if (pending > 0) _handler.waitingToken(first + pending - 1);
        try _handler.waitingToken(first + pending) {
            revert("queue");
        } catch {}
    }
}

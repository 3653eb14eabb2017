// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloister} from "../../contracts/ICloister.sol";

/// @title Owns an account, and asks for a second forced exit while it is paid the change of the first.
contract GreedyOwner {
    ICloister private immutable _house;
    uint256 private _account;
    bytes public answer;

    constructor(address house) {
        _house = ICloister(house);
    }

    function accept(uint256 account) external {
        _account = account;
        _house.acceptL1Owner(account);
    }

    function force(uint256 account, uint256 token) external {
        _house.forceExit{value: 1e17}(account, token, address(this));
    }

    receive() external payable {
        try _house.forceExit{value: 1e16}(_account, 1, address(this)) {}
        catch (bytes memory reason) {
            answer = reason;
        }
    }
}

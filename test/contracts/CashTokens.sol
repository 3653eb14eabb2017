// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title An ERC-20 with as many decimals as it is told, all of it its deployer's.
contract CashToken is ERC20("Cash", "CASH") {
    uint8 private immutable _decimals;

    constructor(uint8 decimals_, uint256 supply) {
        _decimals = decimals_;
        _mint(msg.sender, supply);
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

abstract contract Mintable is ERC20 {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @title Keeps one percent of every transfer.
contract FeeToken is ERC20("Fee", "FEE"), Mintable {
    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && to != address(0)) super._update(to, address(0), amount / 100);
    }
}

/// @title Moves nothing and returns false.
contract FalseToken is ERC20("False", "NO"), Mintable {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return false;
    }
}

/// @title Moves nothing and returns true.
contract IdleToken is ERC20("Idle", "IDLE"), Mintable {
    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @title Takes from who receives.
contract ThiefToken is ERC20("Thief", "THIEF"), Mintable {
    function transferFrom(address, address to, uint256) public override returns (bool) {
        if (balanceOf(to) > 0) _burn(to, 1);
        return true;
    }
}

/// @title Returns nothing, as some old tokens do, but pays.
contract VoidToken {
    mapping(address holder => uint256) public balanceOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @title Calls back into a contract during every transfer and keeps what came of it.
contract ReentrantToken is ERC20("Reentrant", "RE"), Mintable {
    address private _target;
    bytes private _call;
    bool public succeeded;
    bytes public answer;

    function callBack(address target, bytes calldata data) external {
        (_target, _call) = (target, data);
    }

    /// @notice So that the token can be a depositor itself.
    function act(address target, bytes calldata data) external returns (bytes memory) {
        (bool ok, bytes memory result) = target.call(data);
        require(ok, "act failed");
        return result;
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (_target != address(0)) (succeeded, answer) = _target.call(_call);
    }
}

/// @title Moves nothing to or from an address that it was told to refuse.
contract BlacklistToken is ERC20("Picky", "PICKY"), Mintable {
    mapping(address holder => bool) private _isBanned;

    function ban(address holder) external {
        _isBanned[holder] = true;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!_isBanned[from] && !_isBanned[to], "banned");
        super._update(from, to, amount);
    }
}

/// @title Refuses everything while it is paused.
contract PausedToken is ERC20("Paused", "WAIT"), Mintable {
    bool private _isPaused;

    function pause(bool isPaused) external {
        _isPaused = isPaused;
    }

    function _update(address from, address to, uint256 amount) internal override {
        require(!_isPaused, "paused");
        super._update(from, to, amount);
    }
}

/// @title Balances that shrink when somebody says so.
contract RebaseToken is ERC20("Rebase", "LESS"), Mintable {
    function shrink(address holder, uint256 amount) external {
        _burn(holder, amount);
    }
}

/// @title A token with as many decimals as it is told.
contract DecimalsToken is ERC20("Decimals", "DEC"), Mintable {
    uint8 private immutable _places;

    constructor(uint8 places) {
        _places = places;
    }

    function decimals() public view override returns (uint8) {
        return _places;
    }
}

/// @title Takes deposits, and pays nothing while it says false.
contract StingyToken is ERC20("Stingy", "NO"), Mintable {
    function transfer(address, uint256) public pure override returns (bool) {
        return false;
    }
}

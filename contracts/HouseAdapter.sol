// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloister} from "./ICloister.sol";
import {ITableHouse} from "./ITableHouse.sol";

/// @title Stands between the oracle and a house in which every posted table counts as confirmed.
/// @notice It holds the house's ORACLE role and keeps an indicative table back until it is confirmed;
/// one that is overtaken first never reaches the house. A house that knows the flag itself needs no
/// adapter: the oracle then holds the role.
contract HouseAdapter is ITableHouse {
    struct Held {
        uint256 root;
        uint256 marksRoot;
        bytes32 dataHash;
        bytes marks;
    }

    ICloister public immutable cloister;
    address private immutable _deployer;
    /// @notice The one who may post; named once, because the two know each other.
    address public poster;
    uint256 public tableNumber;
    Held private _held;

    error CallerMustBePoster(address caller);
    error PosterMustBeNew(address poster);
    error TableMustBeHeld(uint256 number);

    modifier onlyPoster() {
        if (msg.sender != poster) revert CallerMustBePoster(msg.sender);
        _;
    }

    constructor(ICloister cloister_) {
        cloister = cloister_;
        _deployer = msg.sender;
        tableNumber = cloister_.tableNumber();
    }

    function setPoster(address poster_) external {
        if (msg.sender != _deployer) revert CallerMustBePoster(msg.sender);
        if (poster != address(0)) revert PosterMustBeNew(poster);

        poster = poster_;
    }

    function postTable(
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        bytes calldata marks,
        bool confirmed
    ) external onlyPoster returns (uint256 number) {
        number = ++tableNumber;
        if (confirmed) {
            delete _held;
            cloister.postTable(root, marksRoot, dataHash, marks);
        } else {
            _held = Held(root, marksRoot, dataHash, marks);
        }
    }

    function confirmTable(uint256 number) external onlyPoster {
        Held memory held = _held;
        if (number != tableNumber || held.marks.length == 0) revert TableMustBeHeld(number);

        delete _held;
        cloister.postTable(held.root, held.marksRoot, held.dataHash, held.marks);
    }

    function settlementRoot() external view returns (uint256) {
        return cloister.settlementRoot();
    }

    function postSettlement(uint256[] calldata ids, int256[] calldata values, uint256 newRoot)
        external
        onlyPoster
    {
        cloister.postSettlement(ids, values, newRoot);
    }
}

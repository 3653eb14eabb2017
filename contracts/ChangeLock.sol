// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ITableHouse} from "./ITableHouse.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The only admin of a sealed house and of its oracle: what it does was announced before.
/// @notice OpenZeppelin's TimelockController with three rules more. No delay is shorter than the way
/// out of the house, whatever is scheduled or updated; what nobody carried out within `LIFE` of its
/// day has lapsed; and nothing is announced for a day later than `LIFE` behind the earliest, nor at all
/// before the house is sealed, so that no announcement of long ago waits for its moment.
/// It is its own admin: who proposes and who cancels changes by an announced change, too.
contract ChangeLock is TimelockController {
    /// @notice Seconds during which a change that is due can be carried out, by anybody.
    uint256 public constant LIFE = 14 days;
    /// @notice Seconds that no delay is shorter than.
    uint256 public immutable floor;
    /// @notice Who deployed this lock.
    ITableHouse public immutable house;

    error DelayMustCoverWayOut(uint256 delay, uint256 floor);
    error DelayMustEndSoon(uint256 delay, uint256 longest);
    error HouseMustBeSealed();

    /// @param proposer Announces changes, and may cancel them.
    /// @param guardian May cancel them.
    constructor(uint256 floor_, uint256 delay, address proposer, address guardian)
        TimelockController(delay, _listOf(proposer), _listOf(address(0)), address(0))
    {
        if (delay < floor_) revert DelayMustCoverWayOut(delay, floor_);
        floor = floor_;
        house = ITableHouse(msg.sender);
        _grantRole(CANCELLER_ROLE, guardian);
    }

    function schedule(
        address target,
        uint256 value,
        bytes calldata data,
        bytes32 predecessor,
        bytes32 salt,
        uint256 delay
    ) public override {
        _requireAnnouncement(delay);
        super.schedule(target, value, data, predecessor, salt, delay);
    }

    function scheduleBatch(
        address[] calldata targets,
        uint256[] calldata values,
        bytes[] calldata payloads,
        bytes32 predecessor,
        bytes32 salt,
        uint256 delay
    ) public override {
        _requireAnnouncement(delay);
        super.scheduleBatch(targets, values, payloads, predecessor, salt, delay);
    }

    /// @dev Calls of itself only, as the inherited function demands.
    function updateDelay(uint256 newDelay) public override {
        if (newDelay < floor) revert DelayMustCoverWayOut(newDelay, floor);
        super.updateDelay(newDelay);
    }

    /// @dev A lapsed change is as if it had never been announced: it can be announced again.
    function getOperationState(bytes32 id) public view override returns (OperationState state) {
        state = super.getOperationState(id);
        if (state == OperationState.Ready && block.timestamp > getTimestamp(id) + LIFE) {
            state = OperationState.Unset;
        }
    }

    /// @dev Else one announcement in many copies, a fortnight apart each, would be due for ever; and a
    /// founder could have its changes due on the day on which the first member comes.
    function _requireAnnouncement(uint256 delay) private view {
        if (!house.isSealed()) revert HouseMustBeSealed();
        uint256 longest = getMinDelay() + LIFE;
        if (delay > longest) revert DelayMustEndSoon(delay, longest);
    }

    function _listOf(address one) private pure returns (address[] memory list) {
        list = new address[](1);
        list[0] = one;
    }
}

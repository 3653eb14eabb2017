// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";
import {ITableHouse} from "./ITableHouse.sol";
import {OracleParameters} from "./OracleParameters.sol";

/// @title How a value of an expired instrument becomes final: proposed by the quorum, open to a
/// veto for a delay, then posted to a register that never changes.
/// @notice One report is pending at a time: each names the register's root before and after.
/// A serial is used once: what was struck or replaced cannot be proposed again.
abstract contract OracleSettlement is OracleParameters {
    bytes32 private constant SETTLEMENT_REPORT_TYPEHASH = keccak256(
        "SettlementReport(uint64 serial,uint64 windowStart,uint64 windowEnd,uint256 previousRoot,uint256 newRoot,bytes data,uint256[] ids,int256[] values)"
    );
    bytes32 private constant CONFIRMATION_TYPEHASH = keccak256("Confirmation(bytes32 report)");
    bytes32 private constant VETO_TYPEHASH = keccak256("Veto(bytes32 report)");
    int256 internal constant VALUE_UPPER_BOUND = 1 << 48;

    struct Pending {
        uint64 serial;
        uint64 dueAt;
        bool isPending;
        bytes32 digest;
    }

    ITableHouse public immutable house;
    /// @notice The pending report; its serial is the last that was used.
    Pending public pendingSettlement;
    /// @dev Of the last report that the large quorum put in the place of another.
    uint64 private _replacedBy;

    constructor(ITableHouse house_) {
        house = house_;
    }

    function settle(SettlementReport calldata report, bytes[] calldata signatures) external {
        if (pendingSettlement.isPending) {
            revert SettlementMustNotBePending(pendingSettlement.serial);
        }
        _requireSettlement(report);
        bytes32 digest = _digestOf(report);
        _requireQuorum(digest, signatures, _quorums.quorum, _quorums.epoch);

        _propose(report, digest);
    }

    function replaceSettlement(SettlementReport calldata report, bytes[] calldata signatures)
        external
    {
        _requireOpen(pendingSettlement.serial);
        _requireSettlement(report);
        bytes32 digest = _digestOf(report);
        _requireQuorum(_confirmationOf(digest), signatures, _quorums.largeQuorum, _quorums.epoch);

        emit SettlementVetoed(pendingSettlement.serial);
        _replacedBy = report.serial;
        _propose(report, digest);
    }

    function vetoSettlement(uint256 serial, bytes[] calldata signatures) external {
        _requireOpen(serial);
        // What the large quorum has put there only the large quorum strikes: a guardian that struck
        // everything would hold up what is due to its holders for ever, and no ground would come.
        if (serial == _replacedBy || !hasRole(GUARDIAN, msg.sender)) {
            bytes32 digest = _hashTypedDataV4(
                keccak256(abi.encode(VETO_TYPEHASH, pendingSettlement.digest))
            );
            _requireQuorum(digest, signatures, _quorums.largeQuorum, _quorums.epoch);
        }

        pendingSettlement.isPending = false;
        emit SettlementVetoed(serial);
    }

    function finaliseSettlement(SettlementReport calldata report) external {
        Pending memory pending = pendingSettlement;
        if (!pending.isPending) revert SettlementMustBePending(report.serial);
        bytes32 digest = _digestOf(report);
        if (digest != pending.digest) revert SettlementMustMatch(digest);
        if (block.timestamp < pending.dueAt) revert SettlementMustBeDue(pending.dueAt);
        // Nobody else posts; if the root moved all the same, the new one would forget a value.
        if (house.settlementRoot() != report.previousRoot) {
            revert RegisterMustMatch(report.previousRoot);
        }

        pendingSettlement.isPending = false;
        for (uint256 i = 0; i < report.ids.length; i++) {
            uint256 id = report.ids[i];
            _listed[id >> 8] &= ~(1 << (id & 255));
        }
        listedCount -= report.ids.length;
        emit SettlementFinal(report.serial, report.ids, report.values, report.newRoot);
        house.postSettlement(report.ids, report.values, report.newRoot);
    }

    /// @notice The house's lock is the only admin once the house is sealed, whoever was granted it.
    function hasRole(bytes32 role, address who) public view override returns (bool) {
        if (role == ADMIN && house.isSealed()) return who == house.lock();
        return super.hasRole(role, who);
    }

    /// @dev A grant that means nothing must not look like one that does.
    function _grantRole(bytes32 role, address who) internal override returns (bool) {
        if (role == ADMIN && house.isSealed()) revert AdminMustBeLock();
        return super._grantRole(role, who);
    }

    function settlementDigestOf(SettlementReport calldata report) external view returns (bytes32) {
        return _digestOf(report);
    }

    function _isSettled(uint256 id) internal view override returns (bool isSet) {
        (isSet,) = house.settlement(id);
    }

    function _requireOpen(uint256 serial) private view {
        Pending memory pending = pendingSettlement;
        if (!pending.isPending || pending.serial != serial) revert SettlementMustBePending(serial);
        if (block.timestamp >= pending.dueAt) revert SettlementMustNotBeDue(pending.dueAt);
    }

    function _requireSettlement(SettlementReport calldata report) private view {
        uint256 next = uint256(pendingSettlement.serial) + 1;
        if (report.serial != next) revert SettlementMustBeNext(report.serial, next);
        _requireDocument(report.data);
        // What the house refuses would be pending for good once it is due.
        if (report.newRoot >= Law.FIELD_MODULUS) revert SettlementRootMustBeWord(report.newRoot);
        uint256 count = report.ids.length;
        if (count == 0 || count != report.values.length) revert SettlementListsMustMatch();
        uint256 room = house.settlementRoom();
        if (count > room) revert SettlementMustHaveRoom(count, room);
        if (report.windowStart >= report.windowEnd) revert WindowMustMatch(0);
        uint256 length = report.windowEnd - report.windowStart;
        if (length != _timing.settlementWindow) revert WindowMustMatch(length);
        if (block.timestamp < report.windowEnd) revert ExpiryMustHavePassed(report.windowEnd);
        if (house.settlementRoot() != report.previousRoot) {
            revert RegisterMustMatch(report.previousRoot);
        }
        uint256 previous;
        for (uint256 i = 0; i < count; i++) {
            (uint256 id, int256 value) = (report.ids[i], report.values[i]);
            if (id <= previous) revert SettlementIdsMustAscend(id);
            previous = id;
            if (!isListed(id)) revert SettlementMustBeListed(id);
            if (expiryOf[id] != report.windowEnd) revert ExpiryMustMatch(id, expiryOf[id]);
            if (value <= -VALUE_UPPER_BOUND || value >= VALUE_UPPER_BOUND) {
                revert SettlementMustFitWidth(id, value);
            }
        }
    }

    function _propose(SettlementReport calldata report, bytes32 digest) private {
        uint64 dueAt = uint64(block.timestamp + _timing.challengeDelay);
        pendingSettlement = Pending(report.serial, dueAt, true, digest);
        emit SettlementProposed(report.serial, digest, dueAt, report);
    }

    function _confirmationOf(bytes32 digest) internal view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(CONFIRMATION_TYPEHASH, digest)));
    }

    function _digestOf(SettlementReport calldata report) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    SETTLEMENT_REPORT_TYPEHASH,
                    report.serial,
                    report.windowStart,
                    report.windowEnd,
                    report.previousRoot,
                    report.newRoot,
                    keccak256(report.data),
                    keccak256(abi.encodePacked(report.ids)),
                    keccak256(abi.encodePacked(report.values))
                )
            )
        );
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {FeedLib} from "./FeedLib.sol";
import {ITableHouse} from "./ITableHouse.sol";
import {OracleSettlement} from "./OracleSettlement.sol";

/// @title The only poster of tables: M of N signers speak through it, and it believes them only as
/// far as the last confirmed prices and the feeds allow.
/// @notice What is malformed is refused. What is well signed but far off is posted as indicative,
/// so that the house learns of it and moves nobody's margin by it.
contract TableOracle is OracleSettlement {
    bytes32 private constant REFERENCE_TYPEHASH =
        keccak256("Reference(uint32 underlying,uint64 price)");
    bytes32 private constant TABLE_REPORT_TYPEHASH = keccak256(
        "TableReport(uint64 number,uint64 time,uint256 tableRoot,uint256 marksRoot,uint256 worldsRoot,bytes32 worldsHash,bytes32 instrumentsHash,bytes market,bytes marks,Reference[] references)Reference(uint32 underlying,uint64 price)"
    );

    uint256 private constant ROW_BYTES = 13;
    uint256 private constant STATUS_LIVE = 1;
    uint256 private constant STATUS_EXPIRED = 2;

    /// @dev One slot. Of the latest report of all, confirmed or not. Who may confirm it, and until
    /// when, is as it was when it was posted.
    struct Latest {
        uint64 number;
        uint64 time;
        bool isConfirmed;
        uint64 epoch;
        uint40 confirmableUntil;
    }

    Latest public latest;
    /// @notice What the signers of the latest report signed.
    bytes32 public latestDigest;

    constructor(ITableHouse house_, address admin)
        EIP712("CloisterTableOracle", "1")
        OracleSettlement(house_)
    {
        _grantRole(ADMIN, admin);
        _grantRole(LISTER, admin);
    }

    // -------------------------------------------------------------------------------------- tables

    function post(TableReport calldata report, bytes[] calldata signatures)
        external
        returns (bool isConfirmed)
    {
        Latest memory previous = latest;
        // Undone with all the rest if the report does not hold.
        if (report.instrumentsHash != instrumentsHash) _adoptIf(report.instrumentsHash);
        _requireReport(report, previous.time);
        bytes32 digest = _hashTypedDataV4(_hashReport(report));
        _requireQuorum(digest, signatures, _quorums.quorum, _quorums.epoch);

        bool isAgreed;
        (isConfirmed, isAgreed) = _judge(report.references, report.time, previous);

        // Until the year 36812: 64-bit times are checked against the clock.
        uint40 until = uint40(uint256(report.time) + _timing.confirmWindow);
        latest = Latest(report.number, report.time, isConfirmed, _quorums.epoch, until);
        latestDigest = digest;
        _write(report.references, isConfirmed);
        if (isAgreed) emit Confirmed(previous.number);
        _emitReported(report, digest, isConfirmed);
        if (isAgreed) house.confirmTable(previous.number);
        _postTable(report, isConfirmed);
    }

    function confirm(uint256 number, bytes[] calldata signatures) external {
        Latest memory report = latest;
        // Another table may have been posted by nobody but this contract; asked all the same.
        if (number != report.number || number != house.tableNumber()) {
            revert ReportMustBeLatest(number, report.number);
        }
        if (report.isConfirmed) revert ReportMustBeIndicative(number);
        if (block.timestamp > report.confirmableUntil) {
            revert ConfirmationMustBeInTime(report.time);
        }
        uint256 quorum = _largeQuorumOf[report.epoch];
        _requireQuorum(_confirmationOf(latestDigest), signatures, quorum, report.epoch);

        latest.isConfirmed = true;
        uint256 bits = _active;
        for (uint256 id = 1; bits >> id != 0; id++) {
            if ((bits >> id) & 1 == 0) continue;
            Underlying storage found = _underlyings[id];
            // One that was added since has neither price, and gets none.
            (found.confirmed, found.candidate) = (found.candidate, 0);
        }
        emit Confirmed(number);
        house.confirmTable(number);
    }

    /// @notice What signers sign.
    function digestOf(TableReport calldata report) external view returns (bytes32) {
        return _hashTypedDataV4(_hashReport(report));
    }

    // -------------------------------------------------------------------------------------- guards

    function _requireReport(TableReport calldata report, uint256 previousTime) private view {
        uint256 next = house.tableNumber() + 1;
        if (report.number != next) revert NumberMustBeNext(report.number, next);
        _requireTime(report.time, previousTime);
        if (report.worldsHash != worldsHash) revert WorldsMustBeCurrent(report.worldsHash);
        if (report.instrumentsHash != instrumentsHash) {
            revert InstrumentsMustBeCurrent(report.instrumentsHash);
        }
        _requireDocument(report.market);
        _requireMarks(report.marks);
        _requireReferences(report.references);
    }

    function _requireTime(uint256 time, uint256 previous) private view {
        if (time <= previous) revert TimeMustAdvance(time, previous);
        if (time > block.timestamp) revert TimeMustNotBeAhead(time);
        if (block.timestamp - time > _timing.maxAge) revert TimeMustBeFresh(time);
    }

    /// @dev Ascending, each listed, and as many as are listed: so exactly those, each once.
    function _requireMarks(bytes calldata marks) private view {
        if (marks.length == 0 || marks.length % ROW_BYTES != 0) {
            revert MarksMustBeRows(marks.length);
        }
        uint256 previous;
        uint256 word = type(uint256).max;
        uint256 bits;
        for (uint256 offset = 0; offset < marks.length; offset += ROW_BYTES) {
            uint256 row;
            // 32 bytes from a row's first; of the last row some lie behind it and are shifted out.
            assembly ("memory-safe") {
                row := calldataload(add(marks.offset, offset))
            }
            uint256 id = row >> 224; // 256 - 32
            if (id <= previous) revert MarksMustAscend(id);
            previous = id;
            if (id >> 8 != word) {
                word = id >> 8;
                bits = _listed[word];
            }
            if ((bits >> (id & 255)) & 1 == 0) revert MarksMustBeListed(id);
            uint256 status = (row >> 216) & 0xff; // 224 - 8
            if (status != STATUS_LIVE && status != STATUS_EXPIRED) revert MarkStatusMustBeKnown(id);
            int256 mark = int64(uint64(row >> 152)); // 216 - 64
            if (mark <= -VALUE_UPPER_BOUND || mark >= VALUE_UPPER_BOUND) {
                revert MarkMustFitWidth(id);
            }
        }
        uint256 count = marks.length / ROW_BYTES;
        if (count != listedCount) revert MarksMustBeComplete(count, listedCount);
    }

    /// @dev The same argument as for marks.
    function _requireReferences(Reference[] calldata references) private view {
        uint256 bits = _active;
        uint256 previous;
        for (uint256 i = 0; i < references.length; i++) {
            uint256 id = references[i].underlying;
            if (id <= previous) revert ReferencesMustAscend(id);
            if ((bits >> id) & 1 == 0) revert UnderlyingMustBeKnown(id);
            if (references[i].price == 0) revert PriceMustNotBeZero(id);
            previous = id;
        }
        if (references.length != _activeCount) {
            revert ReferencesMustBeComplete(references.length, _activeCount);
        }
    }

    // ------------------------------------------------------------------------------------- verdict

    /// @return isConfirmed Whether the quorum's word is enough.
    /// @return isAgreed Whether it is because this report agrees with the indicative one before it,
    /// which it confirms, too.
    function _judge(Reference[] calldata references, uint256 time, Latest memory previous)
        private
        view
        returns (bool isConfirmed, bool isAgreed)
    {
        bool isNear = true;
        isAgreed = previous.number != 0 && !previous.isConfirmed
            && time >= uint256(previous.time) + _timing.agreementDelay;
        for (uint256 i = 0; i < references.length; i++) {
            uint256 price = references[i].price;
            Underlying storage found = _underlyings[references[i].underlying];
            Band memory band = found.band;
            (uint256 confirmed, uint256 candidate) = (found.confirmed, found.candidate);
            // Nothing is near a price that was never confirmed.
            isNear = isNear && _isWithin(price, confirmed, band.band);
            isAgreed = isAgreed && _isWithin(price, candidate, band.band)
                && _isWithin(price, confirmed, band.jumpBand);
            if (!isNear && !isAgreed) return (false, false);
            if (band.feed == address(0)) continue;
            uint256 fed = FeedLib.read(band.feed, found.feedDecimals, band.feedMaxAge);
            if (!_isWithin(price, fed, band.feedBand)) return (false, false);
        }
        return (true, isAgreed);
    }

    /// @dev False for a base of zero. 64 + 14 bits, or 128 + 54 + 16 of a feed: no overflow.
    function _isWithin(uint256 price, uint256 base, uint256 basisPoints)
        private
        pure
        returns (bool)
    {
        if (base == 0) return false;
        uint256 distance = price > base ? price - base : base - price;
        return distance * BASIS <= base * basisPoints;
    }

    function _write(Reference[] calldata references, bool isConfirmed) private {
        for (uint256 i = 0; i < references.length; i++) {
            Underlying storage found = _underlyings[references[i].underlying];
            uint64 price = references[i].price;
            if (isConfirmed) (found.confirmed, found.candidate) = (price, 0);
            else found.candidate = price;
        }
    }

    function _emitReported(TableReport calldata report, bytes32 digest, bool isConfirmed) private {
        emit Reported(
            report.number,
            digest,
            report.time,
            isConfirmed,
            report.tableRoot,
            report.worldsHash,
            report.instrumentsHash,
            report.references,
            report.market
        );
    }

    function _postTable(TableReport calldata report, bool isConfirmed) private {
        bytes32 dataHash = keccak256(
            abi.encode(report.worldsHash, report.instrumentsHash, keccak256(report.market))
        );
        house.postTable(
            report.tableRoot,
            report.marksRoot,
            dataHash,
            _asPosting(report.marks, report.worldsRoot),
            isConfirmed
        );
    }

    /// @dev Rows of 13 bytes as the house reads them: abi.encode of (uint32, uint8, int64)[]; behind
    /// them the worlds root and the flags, where decoders of the rows stop reading. A claim after a
    /// freeze is proven from these bytes alone.
    function _asPosting(bytes calldata marks, uint256 worldsRoot)
        private
        pure
        returns (bytes memory posting)
    {
        uint256 count = marks.length / ROW_BYTES;
        posting = new bytes(128 + 96 * count);
        // Writes 96 + 96 * count bytes from the first of `posting`; the last word stays 0: no flags.
        assembly ("memory-safe") {
            let place := add(posting, 32)
            mstore(place, 32)
            mstore(add(place, 32), count)
            place := add(place, 64)
            let offset := marks.offset
            let end := add(offset, mul(count, ROW_BYTES))
            for {} lt(offset, end) { offset := add(offset, ROW_BYTES) } {
                let row := calldataload(offset)
                mstore(place, shr(224, row))
                mstore(add(place, 32), and(shr(216, row), 0xff))
                mstore(add(place, 64), signextend(7, shr(152, row)))
                place := add(place, 96)
            }
            mstore(place, worldsRoot)
        }
    }

    function _hashReport(TableReport calldata report) private pure returns (bytes32) {
        bytes32[] memory references = new bytes32[](report.references.length);
        for (uint256 i = 0; i < references.length; i++) {
            references[i] = keccak256(
                abi.encode(
                    REFERENCE_TYPEHASH, report.references[i].underlying, report.references[i].price
                )
            );
        }
        return keccak256(
            abi.encode(
                TABLE_REPORT_TYPEHASH,
                report.number,
                report.time,
                report.tableRoot,
                report.marksRoot,
                report.worldsRoot,
                report.worldsHash,
                report.instrumentsHash,
                keccak256(report.market),
                keccak256(report.marks),
                keccak256(abi.encodePacked(references))
            )
        );
    }
}

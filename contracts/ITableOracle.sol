// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title What M of N signers can say to the clearing house, and what it takes to be believed.
/// @notice Prices are in 1e-6 of cash for one unit of the underlying; values are in 1e-6 of cash a
/// lot. Bands are in basis points. Times are in seconds. Signatures are EIP-712 (name
/// "CloisterTableOracle", version "1"), 65 bytes with low s, in strictly ascending order of signer.
interface ITableOracle {
    // ---------------------------------------------------------------------------------------- data

    /// @param price Never zero: what has no price is missing, and what is missing is refused.
    struct Reference {
        uint32 underlying;
        uint64 price;
    }

    /// @param number The number that the table will have: the house's latest and one.
    /// @param time When the signers saw the market.
    /// @param tableRoot Poseidon(marksRoot, worldsRoot, flags); flags are 0.
    /// @param worldsRoot Root of the rows with all their worlds. L1 does not check it; handed on with
    /// the marks, it lets whoever holds them prove a mark under tableRoot without the worlds.
    /// @param worldsHash keccak256 of the world set's document; the current one.
    /// @param instrumentsHash keccak256 of the document of specifications; the current one, or the
    /// proposed one, which the report lists.
    /// @param market The market state, a canonical JSON document: with the other two documents all
    /// that the table follows from.
    /// @param marks Rows of 13 bytes, ids ascending: id (4), status (1), mark (8, signed).
    /// @param references One price for every underlying in use, in ascending order of id.
    struct TableReport {
        uint64 number;
        uint64 time;
        uint256 tableRoot;
        uint256 marksRoot;
        uint256 worldsRoot;
        bytes32 worldsHash;
        bytes32 instrumentsHash;
        bytes market;
        bytes marks;
        Reference[] references;
    }

    /// @param serial The next of all proposals, accepted or not.
    /// @param windowStart Prices of [windowStart, windowEnd) are averaged by time.
    /// @param windowEnd The expiry of every instrument of the report.
    /// @param previousRoot Root of the register before.
    /// @param newRoot Root of the register with the values appended in the order of ids.
    /// @param data The averages, a canonical JSON document from which the values follow.
    struct SettlementReport {
        uint64 serial;
        uint64 windowStart;
        uint64 windowEnd;
        uint256 previousRoot;
        uint256 newRoot;
        bytes data;
        uint256[] ids;
        int256[] values;
    }

    /// @param maxAge Oldest that a report may be when it is posted.
    /// @param confirmWindow How long after its time an indicative report may still be confirmed.
    /// @param agreementDelay How much later than an indicative report the next one must have been
    /// seen for its agreement to count.
    /// @param settlementWindow Length of the time over which settlement prices are averaged.
    /// @param challengeDelay How long a proposed settlement can be vetoed or replaced.
    struct Timing {
        uint32 maxAge;
        uint32 confirmWindow;
        uint32 agreementDelay;
        uint32 settlementWindow;
        uint32 challengeDelay;
    }

    /// @param band Largest move from the last confirmed price that the quorum can confirm at once.
    /// @param jumpBand Largest move from the last confirmed price that the quorum can confirm by
    /// saying it twice. What lies beyond needs the large quorum.
    /// @param feedBand Largest distance from the feed's price.
    /// @param feedMaxAge Oldest that the feed's answer may be.
    /// @param feed An AggregatorV3, or 0 for none.
    struct Band {
        uint16 band;
        uint16 jumpBand;
        uint16 feedBand;
        uint32 feedMaxAge;
        address feed;
    }

    /// @param expiry 0 for what does not expire, as no token does.
    struct Listing {
        uint32 id;
        uint64 expiry;
        /// @dev keccak256 of the canonical specification: bound to the id for good.
        bytes32 specification;
    }

    // -------------------------------------------------------------------------------------- events

    event SignersSet(address[] signers, uint256 quorum, uint256 largeQuorum);
    event TimingSet(Timing timing);
    event UnderlyingAdded(uint256 indexed underlying, string name);
    event BandSet(uint256 indexed underlying, Band band, uint8 feedDecimals);
    event UnderlyingRetired(uint256 indexed underlying);
    /// @param document The bytes whose keccak256 is worldsHash from now on.
    event WorldsSet(bytes32 indexed worldsHash, bytes document);
    /// @param document The bytes whose keccak256 is instrumentsHash once a quorum has signed over it.
    event InstrumentsProposed(bytes32 indexed instrumentsHash, Listing[] added, bytes document);
    /// @notice What was proposed under this hash is listed, and the document counts from now on.
    event InstrumentsSet(bytes32 indexed instrumentsHash);

    /// @param digest What was signed.
    /// @param market Published here, so that L1 alone is enough to compute the table again.
    event Reported(
        uint256 indexed number,
        bytes32 digest,
        uint256 time,
        bool isConfirmed,
        uint256 tableRoot,
        bytes32 worldsHash,
        bytes32 instrumentsHash,
        Reference[] references,
        bytes market
    );
    event Confirmed(uint256 indexed number);
    event SettlementProposed(
        uint256 indexed serial, bytes32 digest, uint256 dueAt, SettlementReport report
    );
    event SettlementVetoed(uint256 indexed serial);
    event SettlementFinal(uint256 indexed serial, uint256[] ids, int256[] values, uint256 root);

    // -------------------------------------------------------------------------------------- errors

    error AdminMustBeLock();
    error SignersMustAscend(address signer);
    error QuorumMustBeMajority(uint256 quorum, uint256 largeQuorum, uint256 count);
    error TimingMustBeInRange();
    error UnderlyingMustBeKnown(uint256 underlying);
    error UnderlyingsMustFit(uint256 count);
    error BandMustBeInRange(uint256 underlying);
    error FeedMustAnswer(address feed);
    error DocumentMustBeInRange(uint256 length);
    error DocumentMustBeNew(bytes32 hash);
    error ListingMustWait(uint256 until);
    error ListingMustBeShort(uint256 count);
    error ListedMustFitTable(uint256 count);
    error ListingMustBeNew(uint256 id);
    error ListingIdMustBeInRange(uint256 id);
    error ListingIdMustAscend(uint256 id, uint256 next);
    error ListingMustHaveSpecification(uint256 id);
    error TokenMustNotExpire(uint256 id);

    error SignatureMustBeValid(uint256 position);
    error SignerMustBeAuthorised(address signer);
    error SignersMustBeDistinct(address signer);
    error QuorumMustSign(uint256 count, uint256 quorum);

    error NumberMustBeNext(uint256 number, uint256 next);
    error TimeMustAdvance(uint256 time, uint256 previous);
    error TimeMustNotBeAhead(uint256 time);
    error TimeMustBeFresh(uint256 time);
    error WorldsMustBeCurrent(bytes32 worldsHash);
    error InstrumentsMustBeCurrent(bytes32 instrumentsHash);
    error MarksMustBeRows(uint256 length);
    error MarksMustAscend(uint256 id);
    error MarksMustBeListed(uint256 id);
    error MarksMustBeComplete(uint256 count, uint256 listed);
    error MarkMustFitWidth(uint256 id);
    error MarkStatusMustBeKnown(uint256 id);
    error ReferencesMustAscend(uint256 underlying);
    error ReferencesMustBeComplete(uint256 count, uint256 active);
    error PriceMustNotBeZero(uint256 underlying);
    error ReportMustBeLatest(uint256 number, uint256 latest);
    error ReportMustBeIndicative(uint256 number);
    error ConfirmationMustBeInTime(uint256 time);

    error SettlementMustBeNext(uint256 serial, uint256 next);
    error SettlementMustBePending(uint256 serial);
    error SettlementMustNotBePending(uint256 serial);
    error SettlementMustMatch(bytes32 digest);
    error SettlementMustBeDue(uint256 dueAt);
    error SettlementMustNotBeDue(uint256 dueAt);
    error SettlementListsMustMatch();
    error SettlementMustHaveRoom(uint256 count, uint256 room);
    error SettlementIdsMustAscend(uint256 id);
    error SettlementMustBeListed(uint256 id);
    error SettlementMustFitWidth(uint256 id, int256 value);
    error ExpiryMustMatch(uint256 id, uint256 expiry);
    error ExpiryMustHavePassed(uint256 windowEnd);
    error WindowMustMatch(uint256 length);
    error RegisterMustMatch(uint256 previousRoot);
    error SettlementRootMustBeWord(uint256 newRoot);

    // ----------------------------------------------------------------------------------- functions

    /// @notice Posts a table that a quorum signed. Anybody may bring it. It is confirmed at once if
    /// every price is within its band of the last confirmed one and of its feed, or if it agrees
    /// with the indicative report before it; else it is indicative.
    function post(TableReport calldata report, bytes[] calldata signatures)
        external
        returns (bool isConfirmed);

    /// @notice Confirms the latest report, whatever its prices, by the large quorum.
    /// @param signatures Over Confirmation(bytes32 report), `report` being the report's digest.
    /// Signers give them apart from, and later than, the signature of the report itself, so that
    /// what they all signed without looking twice is never a confirmation.
    function confirm(uint256 number, bytes[] calldata signatures) external;

    /// @notice Proposes settlement values that a quorum signed.
    function settle(SettlementReport calldata report, bytes[] calldata signatures) external;

    /// @notice Puts another report in the place of the pending one and starts its delay.
    /// @param signatures Of the large quorum, over Confirmation(bytes32 report) of the new report.
    function replaceSettlement(SettlementReport calldata report, bytes[] calldata signatures)
        external;

    /// @notice Strikes the pending report.
    /// @param signatures Of the large quorum, over Veto(bytes32 report); none if the caller is a
    /// guardian and the report was not put there by `replaceSettlement`.
    function vetoSettlement(uint256 serial, bytes[] calldata signatures) external;

    /// @notice Posts the pending values to the register for ever. Anybody may call it once due.
    function finaliseSettlement(SettlementReport calldata report) external;
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {FeedLib} from "./FeedLib.sol";
import {Law} from "./generated/Law.sol";
import {IAggregatorV3} from "./IAggregatorV3.sol";
import {ITableOracle} from "./ITableOracle.sol";

/// @title Who may sign, how many of them it takes, how far prices may move, what is listed.
/// @notice Every setter of the oracle is here, and every one is the admin's: who deployed it until
/// the house is sealed, from then on the house's lock. Only listing is a role of its own, since
/// strikes follow the market: it proposes what was never listed, and the first report whose quorum signed
/// over the proposed document lists it. Tables over the document before go on until then.
abstract contract OracleParameters is ITableOracle, AccessControl, EIP712 {
    bytes32 public constant ADMIN = DEFAULT_ADMIN_ROLE;
    /// @notice May strike a pending settlement that the large quorum has not put there, and nothing
    /// else: it can delay, never decide.
    bytes32 public constant GUARDIAN = keccak256("GUARDIAN");

    /// @notice Proposes instruments and nothing else.
    bytes32 public constant LISTER = keccak256("LISTER");

    uint256 private constant SIGNERS_UPPER_BOUND = 64;
    uint256 private constant DOCUMENT_UPPER_BOUND = 1 << 16;
    uint256 private constant UNDERLYINGS_UPPER_BOUND = 256;
    uint256 private constant CASH_ID = 1;
    /// @dev TABLE_ROW_COUNT of circuits/params.ts: of more there is no table.
    uint256 private constant LISTED_COUNT_MAX = 256;
    /// @dev The report that lists them pays for it.
    uint256 private constant LISTING_COUNT_MAX = 64;
    /// @notice Seconds that a proposed listing stands before another may take its place: whoever signs
    /// over it is not overtaken on the way to L1.
    uint256 public constant LISTING_PAUSE = 1 hours;
    uint256 private constant INSTRUMENT_UPPER_BOUND = 1 << 28;
    uint256 internal constant BASIS = 10_000;

    /// @dev 64 + 64 + 8 = 136 bits. Signers of an earlier epoch count nothing.
    struct Quorums {
        uint64 epoch;
        uint8 count;
        uint8 quorum;
        uint8 largeQuorum;
    }

    /// @dev Two slots, both read once a report.
    struct Underlying {
        Band band;
        uint8 feedDecimals;
        uint64 confirmed;
        uint64 candidate;
    }

    Quorums internal _quorums;
    /// @dev Of every epoch: a report that waits is confirmed by those who posted it.
    mapping(uint256 epoch => uint256 largeQuorum) internal _largeQuorumOf;
    mapping(uint256 epoch => mapping(address signer => bool)) private _isSigner;
    Timing internal _timing;
    mapping(uint256 id => Underlying) internal _underlyings;
    /// @dev Bit i stands for underlying i; ids begin at 1.
    uint256 internal _active;
    uint256 internal _activeCount;
    uint256 public underlyingCount;

    bytes32 public worldsHash;
    bytes32 public instrumentsHash;
    uint256 public listedCount;
    /// @dev Bit i of word w stands for instrument 256 * w + i.
    mapping(uint256 word => uint256 bits) internal _listed;
    mapping(uint256 id => uint256 expiry) public expiryOf;
    /// @notice What an id means, for good: documents change, the specification of an id does not.
    mapping(uint256 id => bytes32 hash) public specificationOf;
    /// @notice No id below it but those of tokens, which the house numbers, can be listed any more.
    uint256 public nextInstrument = Law.TOKEN_UPPER_BOUND;

    /// @notice Of the document that the next report may be the first to carry; 0 for none.
    bytes32 public proposedHash;
    uint256 public proposedAt;
    Listing[] private _proposed;

    // ------------------------------------------------------------------------------------- setters

    /// @param signers In ascending order, which shows that they are distinct.
    /// @param quorum More than half, so that two quorums share a signer.
    /// @param largeQuorum More than the quorum.
    function setSigners(address[] calldata signers, uint256 quorum, uint256 largeQuorum)
        external
        onlyRole(ADMIN)
    {
        uint256 count = signers.length;
        if (
            count >= SIGNERS_UPPER_BOUND || 2 * quorum <= count || largeQuorum <= quorum
                || largeQuorum > count
        ) revert QuorumMustBeMajority(quorum, largeQuorum, count);
        uint64 epoch = _quorums.epoch + 1;
        address previous;
        for (uint256 i = 0; i < count; i++) {
            if (signers[i] <= previous) revert SignersMustAscend(signers[i]);
            previous = signers[i];
            _isSigner[epoch][previous] = true;
        }

        _quorums = Quorums(epoch, uint8(count), uint8(quorum), uint8(largeQuorum));
        _largeQuorumOf[epoch] = largeQuorum;
        emit SignersSet(signers, quorum, largeQuorum);
    }

    function setTiming(Timing calldata timing_) external onlyRole(ADMIN) {
        if (
            timing_.maxAge == 0 || timing_.maxAge > LISTING_PAUSE || timing_.confirmWindow == 0
                || timing_.settlementWindow == 0 || timing_.challengeDelay == 0
        ) revert TimingMustBeInRange();

        _timing = timing_;
        emit TimingSet(timing_);
    }

    function addUnderlying(string calldata name, Band calldata band) external onlyRole(ADMIN) {
        uint256 id = underlyingCount + 1;
        if (id >= UNDERLYINGS_UPPER_BOUND) revert UnderlyingsMustFit(id);

        underlyingCount = id;
        _active |= 1 << id;
        _activeCount++;
        emit UnderlyingAdded(id, name);
        _setBand(id, band);
    }

    function setBand(uint256 id, Band calldata band) external onlyRole(ADMIN) {
        _requireActive(id);

        _setBand(id, band);
    }

    /// @notice For what nobody holds any more: reports no longer carry its price.
    function retireUnderlying(uint256 id) external onlyRole(ADMIN) {
        _requireActive(id);

        _active &= ~(1 << id);
        _activeCount--;
        emit UnderlyingRetired(id);
    }

    function setWorlds(bytes calldata document) external onlyRole(ADMIN) {
        _requireDocument(document);

        worldsHash = keccak256(document);
        emit WorldsSet(worldsHash, document);
    }

    /// @notice Proposes instruments: the first report over this document lists them, and from then on
    /// every report carries a row of each, until its settlement is final. The first of all needs no report.
    /// @param added Ids ascending, tokens first.
    /// @param document Specifications of all that is listed, the new ones included.
    function list(Listing[] calldata added, bytes calldata document) external onlyRole(LISTER) {
        _requireDocument(document);
        bytes32 hash = keccak256(document);
        // Signed over it already, such a listing would need nobody's word any more. Nor does it take the
        // place of another under the same document, which signers may have signed over for that other's
        // ids: one of another document must stand between them, for longer than a report lives.
        if (hash == instrumentsHash || hash == proposedHash) revert DocumentMustBeNew(hash);
        uint256 until = proposedAt + LISTING_PAUSE;
        if (proposedHash != 0 && block.timestamp < until) revert ListingMustWait(until);
        _requireListings(added);

        delete _proposed;
        for (uint256 i = 0; i < added.length; i++) {
            _proposed.push(added[i]);
        }
        proposedHash = hash;
        proposedAt = block.timestamp;
        emit InstrumentsProposed(hash, added, document);
        if (instrumentsHash == 0) _adopt();
    }

    /// @dev Called under the signatures of a quorum over a document of this hash.
    function _adoptIf(bytes32 hash) internal {
        if (hash != 0 && hash == proposedHash) _adopt();
    }

    function _adopt() private {
        uint256 count = _proposed.length;
        for (uint256 i = 0; i < count; i++) {
            Listing memory added = _proposed[i];
            uint256 id = added.id;
            if (id >= Law.TOKEN_UPPER_BOUND) nextInstrument = id + 1;
            _listed[id >> 8] |= 1 << (id & 255);
            expiryOf[id] = added.expiry;
            specificationOf[id] = added.specification;
        }
        listedCount += count;
        instrumentsHash = proposedHash;
        proposedHash = 0;
        delete _proposed;
        emit InstrumentsSet(instrumentsHash);
    }

    function _requireListings(Listing[] calldata added) private view {
        uint256 count = listedCount + added.length;
        if (added.length > LISTING_COUNT_MAX) revert ListingMustBeShort(added.length);
        if (count > LISTED_COUNT_MAX) revert ListedMustFitTable(count);
        uint256 previous;
        uint256 next = nextInstrument;
        for (uint256 i = 0; i < added.length; i++) {
            (uint256 id, uint256 expiry) = (added[i].id, added[i].expiry);
            if (id <= CASH_ID || id >= INSTRUMENT_UPPER_BOUND) revert ListingIdMustBeInRange(id);
            // What was settled stays out: its specification is still known, or the house knows a value
            // of it that an oracle before this one has posted.
            if (specificationOf[id] != 0 || _isSettled(id)) revert ListingMustBeNew(id);
            if (added[i].specification == 0) revert ListingMustHaveSpecification(id);
            // The house settles no token: a report of one would be pending for good.
            if (id < Law.TOKEN_UPPER_BOUND && expiry != 0) revert TokenMustNotExpire(id);
            uint256 least = id < Law.TOKEN_UPPER_BOUND || previous >= next ? previous + 1 : next;
            if (id < least) revert ListingIdMustAscend(id, least);
            previous = id;
        }
    }

    function _setBand(uint256 id, Band calldata band) private {
        if (band.band == 0 || band.jumpBand < band.band) revert BandMustBeInRange(id);
        uint256 decimals;
        if (band.feed != address(0)) {
            if (band.feedBand == 0 || band.feedMaxAge == 0) revert BandMustBeInRange(id);
            // Asked once: a feed that changes its decimals later leaves its band.
            decimals = IAggregatorV3(band.feed).decimals();
            if (decimals >= FeedLib.DECIMALS_UPPER_BOUND) revert FeedMustAnswer(band.feed);
        }

        _underlyings[id].band = band;
        _underlyings[id].feedDecimals = uint8(decimals);
        emit BandSet(id, band, uint8(decimals));
    }

    // --------------------------------------------------------------------------------------- views

    function isSigner(address signer) public view returns (bool) {
        return _isSigner[_quorums.epoch][signer];
    }

    function quorums() external view returns (uint256 count, uint256 quorum, uint256 largeQuorum) {
        return (_quorums.count, _quorums.quorum, _quorums.largeQuorum);
    }

    function timing() external view returns (Timing memory) {
        return _timing;
    }

    function isListed(uint256 id) public view returns (bool) {
        return (_listed[id >> 8] >> (id & 255)) & 1 == 1;
    }

    /// @return band Its parameters.
    /// @return confirmed The last confirmed price, 0 for none.
    /// @return candidate The price of the latest report if that is indicative, else 0.
    function underlying(uint256 id)
        external
        view
        returns (Band memory band, uint256 confirmed, uint256 candidate, bool isActive)
    {
        Underlying storage found = _underlyings[id];
        return (found.band, found.confirmed, found.candidate, (_active >> id) & 1 == 1);
    }

    // ---------------------------------------------------------------------------------- signatures

    /// @dev Each signature must be one of a signer, each signer higher than the one before: nobody
    /// counts twice, and no order but one is accepted.
    function _requireQuorum(
        bytes32 digest,
        bytes[] calldata signatures,
        uint256 quorum,
        uint256 epoch
    ) internal view {
        if (quorum == 0 || signatures.length < quorum) {
            revert QuorumMustSign(signatures.length, quorum);
        }
        address previous;
        for (uint256 i = 0; i < signatures.length; i++) {
            (address signer, ECDSA.RecoverError problem,) =
                ECDSA.tryRecoverCalldata(digest, signatures[i]);
            if (problem != ECDSA.RecoverError.NoError) revert SignatureMustBeValid(i);
            if (!_isSigner[epoch][signer]) revert SignerMustBeAuthorised(signer);
            if (signer <= previous) revert SignersMustBeDistinct(signer);
            previous = signer;
        }
    }

    function _isSettled(uint256 id) internal view virtual returns (bool);

    function _requireActive(uint256 id) private view {
        // A shift by 256 or more leaves nothing.
        if ((_active >> id) & 1 == 0) revert UnderlyingMustBeKnown(id);
    }

    function _requireDocument(bytes calldata document) internal pure {
        if (document.length == 0 || document.length >= DOCUMENT_UPPER_BOUND) {
            revert DocumentMustBeInRange(document.length);
        }
    }
}

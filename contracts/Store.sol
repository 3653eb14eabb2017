// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Law} from "./generated/Law.sol";
import {ICloisterTypes} from "./ICloisterTypes.sol";

/// @title All that the house keeps, and the terms it was deployed with.
/// @notice Cloister and CloisterExtension run on the same storage, so every variable of either is
/// declared here and nowhere else, and both set the same immutables from the same terms.
abstract contract Store is ICloisterTypes, AccessControl {
    /// @notice Adds tokens and shapes, sets the fee, grants roles. Of a sealed house this is the
    /// lock and nobody else.
    bytes32 public constant ADMIN = DEFAULT_ADMIN_ROLE;
    /// @notice Submits batches and countersigns registrations.
    bytes32 public constant OPERATOR = keccak256("OPERATOR");
    /// @notice Posts tables and settlement values.
    bytes32 public constant ORACLE = keccak256("ORACLE");
    /// @notice Pauses what comes in, and sets the mode. At once: it can stop, never take.
    bytes32 public constant GUARDIAN = keccak256("GUARDIAN");

    /// @dev Amounts of lots are below this, so a Token's four totals fit one slot of storage.
    uint256 internal constant AMOUNT_UPPER_BOUND = 1 << Law.AMOUNT_BITS;
    /// @dev MODE of circuits/params.ts.
    uint8 internal constant MODE_NORMAL = 0;
    uint8 internal constant MODE_REDUCE_ONLY = 1;
    /// @dev REQUEST_KIND of circuits/params.ts: a forced exit.
    uint256 internal constant FORCED_EXIT = 3;
    /// @dev Seconds for which the queue of forced exits must have room before its full time ends. Else
    /// an operator could serve one and take the place itself, in one transaction, for ever. By the wall
    /// clock: a place is taken whether or not anybody could be served.
    uint256 private constant ROOM_TIME = 1 hours;
    /// @dev No delay is longer, so that no sum of a time and a delay leaves its 40 bits.
    uint256 private constant MAX_DELAY = 365 days;

    /// @notice Seconds between the request and the refund of a deposit.
    uint256 public immutable refundDelay;
    uint256 internal immutable _forceDelay;
    uint256 internal immutable _fullDelay;
    uint256 internal immutable _unwindDelay;
    uint256 internal immutable _batchDelay;
    uint256 internal immutable _tableDelay;
    uint256 internal immutable _sweepDelay;
    uint256 internal immutable _tableLife;
    uint256 internal immutable _lateSweepDelay;
    uint256 internal immutable _sweepEpoch;
    uint256 internal immutable _flagDelay;
    uint256 internal immutable _callDelay;
    uint256 internal immutable _claimsWindow;
    uint256 internal immutable _forcePrice;
    /// @notice Hash of the terms: the two halves of the house must have the same.
    bytes32 public immutable termsHash;

    /// @dev One slot: a batch reads it once. 4 * 40 + 2 * 32 + 4 * 8 = 256 bits.
    struct Counters {
        uint40 batchNumber;
        uint32 tableNumber;
        uint32 confirmedTable;
        uint40 requestCount;
        uint40 fee;
        uint8 mode;
        bool isFrozen;
        /// The first batch accepted at or after this time fixes the root of the sweep; 0 for none.
        uint40 sweepDueAt;
        /// No batch, no deposit, no registration. What leads out is never paused.
        bool isPaused;
        /// The next batch still has the old fee: it may be in flight. Those after it have the new.
        bool isFeeChanging;
    }

    /// @dev One slot per batch: the next batch reads it beside the root. 64 + 64 + 32 + 64 = 224.
    struct Progress {
        uint64 tableNumber;
        uint64 time;
        uint32 accountCount;
        uint64 served;
    }

    /// @dev Counts the seconds during which forced exits could be served: `counted` up to `since`,
    /// and on from there until `until`, which is never before `since`. One slot.
    struct ServiceClock {
        uint64 counted;
        uint64 since;
        uint64 until;
        /// What it said at the table of the last complete sweep.
        uint64 sweptAt;
    }

    /// @dev One slot, read and written when a forced exit is asked for or served.
    struct ForcedQueue {
        uint8 pending;
        /// Service clock when the queue became full, plus 1. It stays full until it has had room for
        /// ROOM_TIME; 0 before it was ever full.
        uint40 fullSince;
        /// The same moment by the wall clock.
        uint40 fullAt;
        /// Time when it last got room; 0 while all places are taken.
        uint40 roomAt;
        uint40 pricedAt;
        /// Wei that the last forced exit cost.
        uint88 price;
    }

    struct SweepState {
        /// First confirmed table of the epoch; 0 before there is one.
        uint40 table;
        uint40 startedAt;
        /// What is proven: the state after this batch. Fixed at startedAt + flag delay.
        bool isFixed;
        uint40 batch;
        uint32 accountCount;
        /// First index that no chunk has covered.
        uint32 next;
        uint32 flagged;
        /// Micro-dollars that the flagged accounts lack in their worst worlds.
        uint128 shortfall;
    }

    /// @dev How far the settlement register is filled, and up to where nobody holds what stands in
    /// it. One slot.
    struct Register {
        uint64 count;
        /// Entries that the operator says are converted: no account holds them any more.
        uint64 converted;
        /// When the last window was opened.
        uint64 openedAt;
    }

    Counters internal _counters;
    ServiceClock internal _clock;
    ForcedQueue internal _forced;
    mapping(uint256 number => uint256 root) internal _roots;
    mapping(uint256 number => Progress progress) internal _progress;
    mapping(uint256 number => bytes32 root) internal _withdrawalsRoots;
    mapping(uint256 id => Token token) internal _tokens;
    mapping(address token => bool isListed) internal _isListed;
    uint256[] internal _tokenIds;

    // Registry.
    mapping(uint256 serial => Request request) internal _requests;
    mapping(uint256 index => Account account) internal _accounts;
    mapping(address l1Owner => uint256 nonce) internal _registrationNonce;
    uint256 internal _nextAccount;
    /// @dev Time of the last forced exit of a token by an account, for the wait between two.
    mapping(uint256 index => mapping(uint256 token => uint256 time)) internal _forcedAt;

    // Deposits and withdrawals.
    uint256 internal _depositCount;
    mapping(uint256 id => Deposit deposit) internal _deposits;
    /// @dev Bit `slot` of a batch's word: that withdrawal is paid. A shape has fewer than 256.
    mapping(uint256 batch => uint256 bits) internal _claimed;

    // Oracle.
    mapping(uint256 number => Table table) internal _tables;
    mapping(uint256 id => Settled settled) internal _settled;
    uint256 internal _settlementRoot;
    Register internal _register;

    // Shapes, and the verifiers of what is not a batch.
    mapping(uint256 id => Shape shape) internal _shapes;
    mapping(uint256 id => SweepShape shape) internal _sweepShapes;
    mapping(uint256 id => address verifier) internal _escapeVerifiers;

    // Sweep.
    SweepState internal _sweep;
    /// @dev Service clock at the table of the sweep under way.
    uint256 internal _sweepStartedAt;

    // The way out.
    uint256 internal _frozenAt;
    /// @dev Micro-dollars that the pot is worth, once it is valued.
    bool internal _isPotValued;
    uint128 internal _potValue;
    /// @dev Claims made within the window, and those after it as far as something remained.
    uint128 internal _claimsInWindow;
    uint128 internal _lateClaims;
    mapping(uint256 index => EscapeClaim claim) internal _escapeClaims;
    mapping(uint256 token => uint256 lots) internal _escaped;
    mapping(uint256 index => mapping(uint256 token => bool isPaid)) internal _isEscapePaid;

    // Change control.
    /// @dev The admin once the house is sealed.
    address internal _lock;
    bool internal _isSealed;
    bool internal _letsAnybodyForge;
    bool internal _hasEscapeVerifier;
    /// @dev Of the batches after the next, while isFeeChanging.
    uint40 internal _nextFee;

    constructor(Terms memory terms) {
        _requireTerms(terms);
        refundDelay = terms.refundDelay;
        _forceDelay = terms.forceDelay;
        _fullDelay = terms.fullDelay;
        _unwindDelay = terms.unwindDelay;
        _batchDelay = terms.batchDelay;
        _tableDelay = terms.tableDelay;
        _sweepDelay = terms.sweepDelay;
        _tableLife = terms.tableLife;
        _lateSweepDelay = terms.lateSweepDelay;
        _sweepEpoch = terms.sweepEpoch;
        _flagDelay = terms.flagDelay;
        _callDelay = terms.callDelay;
        _claimsWindow = terms.claimsWindow;
        _forcePrice = terms.forcePrice;
        termsHash = keccak256(abi.encode(terms));
    }

    /// @notice After the seal the lock is the only admin, whoever was granted the role before.
    function hasRole(bytes32 role, address who) public view override returns (bool) {
        if (role == ADMIN && _isSealed) return who == _lock;
        return super.hasRole(role, who);
    }

    /// @dev A grant that means nothing must not look like one that does.
    function _grantRole(bytes32 role, address who) internal override returns (bool) {
        if (role == ADMIN && _isSealed) revert AdminMustBeLock();
        return super._grantRole(role, who);
    }

    /// @dev Chains of developers and tests, where nothing is worth anything.
    function _isLocalChain() internal view returns (bool) {
        return block.chainid == 31337 || block.chainid == 1337;
    }

    /// @dev Seconds in which whoever dislikes a change is out before it comes: a forced exit that
    /// is not served is a ground to freeze after forceDelay, a queue that lets nobody in is one after
    /// fullDelay, either later by tableDelay at most while the oracle is silent, and claims are paid
    /// after their window. A deposit that no batch has credited is back after refundDelay.
    function _wayOutOf(Terms memory t) internal pure returns (uint256) {
        uint256 late = t.forceDelay > t.fullDelay ? t.forceDelay : t.fullDelay;
        uint256 wayOut = late + t.tableDelay + t.claimsWindow;
        return wayOut > t.refundDelay ? wayOut : t.refundDelay;
    }

    /// @dev What must hold between the terms, so that no member can be locked in by them and no
    /// operator that does its work can be frozen by them.
    function _requireTerms(Terms memory t) private pure {
        if (t.refundDelay <= Law.PAGE_LIFE_SECONDS) revert TermsMustFit("refundDelay");
        // A batch may lag by the life of a page, and is fresh all the same.
        if (t.batchDelay <= Law.PAGE_LIFE_SECONDS) revert TermsMustFit("batchDelay");
        if (t.tableLife == 0 || t.tableDelay <= t.tableLife) revert TermsMustFit("tableDelay");
        if (t.forceDelay == 0 || t.fullDelay == 0) revert TermsMustFit("forceDelay");
        // The same token again only when the first request is served, or a ground to freeze.
        if (t.unwindDelay < t.forceDelay) revert TermsMustFit("unwindDelay");
        // A table of the next epoch gives a sweep up, and no chunk is taken before the flag delay is
        // over: as much time again must be left to prove it.
        if (t.flagDelay == 0 || t.sweepEpoch < 2 * t.flagDelay) revert TermsMustFit("sweepEpoch");
        // Two epochs: a sweep that is begun at the end of one is proven within the next.
        if (t.lateSweepDelay < 2 * t.sweepEpoch) revert TermsMustFit("lateSweepDelay");
        if (t.sweepDelay <= t.lateSweepDelay) revert TermsMustFit("sweepDelay");
        // The law lets nobody be liquidated earlier: a call must count until then, and be proven after.
        if (t.callDelay < Law.CALL_SECONDS + t.flagDelay) revert TermsMustFit("callDelay");
        if (t.claimsWindow < 1 days) revert TermsMustFit("claimsWindow");
        if (
            t.refundDelay > MAX_DELAY || t.batchDelay > MAX_DELAY || t.tableDelay > MAX_DELAY
                || t.unwindDelay > MAX_DELAY || t.fullDelay > MAX_DELAY || t.sweepDelay > MAX_DELAY
                || t.callDelay > MAX_DELAY || t.claimsWindow > MAX_DELAY
        ) revert TermsMustFit("MAX_DELAY");
        if (t.forcePrice == 0 || t.forcePrice >= 1 << 64) revert TermsMustFit("forcePrice");
    }

    function _requireWord(uint256 word) internal pure {
        if (word >= Law.FIELD_MODULUS) revert WordMustBeBelowModulus();
    }

    function _requireAmount(uint256 amount) internal pure {
        if (amount == 0 || amount >= AMOUNT_UPPER_BOUND) revert AmountMustBeInRange(amount);
    }

    function _requireNotFrozen() internal view {
        if (_counters.isFrozen) revert FrozenMustNotContinue();
    }

    function _requireOpen() internal view {
        if (_counters.isFrozen) revert FrozenMustNotContinue();
        if (_counters.isPaused) revert PausedMustNotContinue();
    }

    function _requireL1Owner(uint256 index) internal view {
        if (msg.sender != _accounts[index].l1Owner) revert CallerMustBeL1Owner(index);
    }

    function _knownToken(uint256 id) internal view returns (Token storage token) {
        token = _tokens[id];
        if (token.token == address(0)) revert TokenMustBeKnown(id);
    }

    /// @dev Lots that belong to accounts: what a forced exit, a withdrawal or an escape can pay.
    function _free(Token storage token) internal view returns (uint256) {
        return uint256(token.vault) - token.owed - token.unconsumed;
    }

    /// @dev Requests served by the latest batch and all before it.
    function _served() internal view returns (uint256) {
        return _progress[_counters.batchNumber].served;
    }

    /// @dev Service clock when the queue of forced exits became full, plus 1; 0 if it has room, and has
    /// had it for long enough for others to come in.
    function _fullSince(ForcedQueue memory queue) internal view returns (uint256) {
        bool hasRoom = queue.roomAt != 0 && block.timestamp - queue.roomAt >= ROOM_TIME;
        return hasRoom ? 0 : queue.fullSince;
    }

    /// @dev Writes the next request of the queue. Its serial is its position.
    function _queue(uint256 kind, uint256 index, uint256 x, uint256 y, uint256 viewKeyHash)
        internal
        returns (uint64 serial)
    {
        serial = _counters.requestCount;
        _counters.requestCount = uint40(serial + 1);
        // kind < 8; index < 2^18; the service clock counts seconds.
        _requests[serial] =
            Request(uint8(kind), uint32(index), uint64(_serviceTime()), x, y, viewKeyHash);
        emit RequestQueued(serial, index, uint8(kind), x, y, viewKeyHash);
    }

    /// @dev The latest batch is what the sweep is proven against, from now on.
    function _fixSweep(uint256 batch, uint256 accountCount_) internal {
        _counters.sweepDueAt = 0;
        _sweep.isFixed = true;
        _sweep.batch = uint40(batch);
        _sweep.accountCount = uint32(accountCount_);
        emit SweepFixed(_sweep.table, batch, accountCount_);
    }

    /// @dev Seconds during which the latest table was confirmed and young, so that forced exits
    /// could be served. The clocks of forced exits and sweeps run by it.
    function _serviceTime() internal view returns (uint256) {
        return _serviceTimeOf(_clock);
    }

    function _serviceTimeOf(ServiceClock memory clock) internal view returns (uint256) {
        // since <= until always. No branch on since: who estimates gas in its second would fall short.
        uint256 end = block.timestamp < clock.until ? block.timestamp : clock.until;
        return clock.counted + end - clock.since;
    }
}

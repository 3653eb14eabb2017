// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloisterData} from "./ICloisterData.sol";

/// @title The events and errors of the clearing house; ICloister has its functions.
/// @notice Amounts are in lots, a lot being `unit` raw units of its token. Times are in seconds. A
/// word is a number below the modulus of the scalar field of BN254.
interface ICloisterTypes is ICloisterData {
    // -------------------------------------------------------------------------------------- events

    /// @notice Where every reader starts: the tree of batch 0 holds one leaf, at index 0.
    event Genesis(
        uint256 root, uint256 feeAccountLeaf, uint256 feeAccountViewKeyHash, uint256 feeAccountMeta
    );
    event TokenAdded(uint256 indexed id, address indexed token, uint256 unit, uint256 cap);
    /// @param isDevelopmentKey The proving key comes from a known secret: anybody can forge proofs.
    event ShapeAdded(
        uint256 indexed id, string name, address verifier, bytes32 keyHash, bool isDevelopmentKey
    );
    /// @notice The fee of all batches after this place in the log.
    event FeeSet(uint256 fee);
    /// @notice The next batch has the old fee still, those after it will have this one.
    event FeeChanging(uint256 fee);
    /// @notice From now on the lock alone is the admin: nothing changes unannounced.
    event Sealed(address lock);
    event Paused();
    event Unpaused();
    event Registered(uint256 indexed account, address indexed l1Owner);
    event RequestQueued(
        uint256 indexed serial,
        uint256 indexed account,
        uint8 kind,
        uint256 x,
        uint256 y,
        uint256 viewKeyHash
    );
    event L1OwnerOffered(uint256 indexed account, address indexed nextL1Owner);
    event L1OwnerChanged(uint256 indexed account, address indexed l1Owner);
    event Deposited(
        uint256 indexed id,
        address indexed depositor,
        uint256 indexed token,
        uint256 amount,
        uint256 commitment
    );
    event RefundRequested(uint256 indexed id, uint256 dueAt);
    event Refunded(uint256 indexed id);
    event TablePosted(
        uint256 indexed number,
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        uint256 time,
        bytes marks
    );
    event TableConfirmed(uint256 indexed number);
    event ModeSet(uint256 mode);
    /// @notice The sweep at this table is proven against the state after this batch.
    event SweepFixed(uint256 indexed table, uint256 batch, uint256 accountCount);
    event SettlementPosted(uint256[] ids, int256[] values, uint256 root);
    event ConversionConfirmed(uint256 count);
    /// @param words All public words, 32 bytes each, in the order of circuits/words.ts.
    event Batch(
        uint256 indexed number,
        uint256 indexed shapeId,
        uint256 newRoot,
        uint256 commitment,
        uint256 x,
        bytes words
    );
    event Claimed(
        uint256 indexed batch,
        uint256 indexed slot,
        address indexed to,
        uint256 token,
        uint256 amount
    );

    event SweepStarted(uint256 indexed table, uint256 dueAt);
    /// @param flagged Accounts of these indices that fail and are flagged.
    /// @param shortfall Micro-dollars that they lack, each in its worst world.
    event SweepProven(
        uint256 indexed table, uint256 first, uint256 next, uint256 flagged, uint256 shortfall
    );
    event SweepCompleted(
        uint256 indexed table, uint256 indexed batch, uint256 flagged, uint256 shortfall
    );
    event SweepShapeAdded(
        uint256 indexed id,
        string name,
        uint256 accounts,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey
    );
    event EscapeShapeAdded(
        uint256 indexed id, string name, address verifier, bytes32 keyHash, bool isDevelopmentKey
    );
    /// @param price Wei that were burned.
    event ForcedExitRequested(
        uint256 indexed serial,
        uint256 indexed account,
        uint256 indexed token,
        address to,
        uint256 price
    );
    /// @param batch Its root is what claims are proven against.
    /// @param table Its marks are what they are proven at.
    event Frozen(Ground ground, uint256 batch, uint256 table, uint256 claimsEndAt);
    /// @param value Micro-dollars.
    event PotValued(uint256 value);
    /// @param equity What was proven, micro-dollars.
    /// @param amount What shares the pot: less only for a late claim.
    event EscapeClaimed(
        uint256 indexed account, address indexed claimant, uint256 equity, uint256 amount
    );
    event EscapePaid(
        uint256 indexed account, uint256 indexed token, address indexed to, uint256 amount
    );

    // -------------------------------------------------------------------------------------- errors

    error WordMustBeBelowModulus();
    error ProofMustVerify();
    error TermsMustFit(string name);
    error ExtensionMustAgree(address extension);
    error FrozenMustNotContinue();
    error PausedMustNotContinue();
    error HouseMustBeSealed();
    error WayOutMustHaveVerifier();
    error AdminMustBeLock();
    error DevelopmentKeyMustStayLocal();
    error ModeMustBeKnown(uint256 mode);
    error FeeMustBeInRange(uint256 fee);

    error TokenIdMustBeInRange(uint256 id);
    error TokenMustBeNew(uint256 id, address token);
    error TokenMustBeKnown(uint256 id);
    error TokenMustHaveRoom(uint256 id);
    error TokenMustBeContract(address token);
    error UnitMustBeInRange(uint256 unit);
    error CapMustBeInRange(uint256 cap);

    error ShapeMustBeNew(uint256 id);
    error ShapeMustBeKnown(uint256 id);
    error ShapeMustFitWords(uint256 id);
    error VerifierMustBeContract(address verifier);

    error KeyMustBeOnCurve();
    error KeyMustBeInSubgroup();
    error RegistrationMustBeCountersigned();
    error AccountMustBeAvailable();
    error CallerMustBeL1Owner(uint256 account);
    error CallerMustBeNextL1Owner(uint256 account);
    error RotationMustNotBePending(uint256 account);

    error AmountMustBeInRange(uint256 amount);
    error CommitmentMustBeNonzero();
    error DepositMustFitCap(uint256 lots, uint256 cap);
    error DepositMustBeExact(uint256 expected, uint256 received);
    error DepositMustBeOpen(uint256 id);
    error DepositIdsMustAscend(uint256 id);
    error CallerMustBeDepositor(uint256 id);
    error RefundMustNotBeRequested(uint256 id);
    error RefundMustBeRequested(uint256 id);
    error RefundMustBeDue(uint256 dueAt);

    error SettlementMustBeNew(uint256 id);
    error SettlementIdMustBeInRange(uint256 id);
    error SettlementMustFitWidth(uint256 id, int256 value);
    error SettlementListsMustMatch();
    error SettlementMustHaveRoom(uint256 count, uint256 room);
    error ConversionMustAdvance(uint256 count, uint256 converted, uint256 size);

    error TableMustBeCurrent(uint256 tableNumber, uint256 latest);
    error TableMustBeIndicative(uint256 tableNumber);
    error FirstTableMustBeConfirmed(uint256 tableNumber);
    error WithdrawalMustAwaitConfirmedTable(uint256 tableNumber);
    error WithdrawalMustAwaitSweep(uint256 sweptAt);
    error ForcedExitMustNotBePending(uint256 account);
    error ForcedExitMustAwaitUnwind(uint256 dueAt);
    error QueueMustHaveRoom(uint256 capacity);
    error PriceMustBePaid(uint256 price, uint256 value);
    error EtherMustBeAccepted(address to);
    error SweepMustBeUnderWay();
    error SweepMustBeDue(uint256 dueAt);
    error SweepMustBeAligned(uint256 next, uint256 accounts);
    error SweepSumsMustBeInRange();
    error GroundMustHold(uint8 ground);
    error HouseMustBeFrozen();
    error ClaimMustBeNew(uint256 account);
    error ClaimMustBeMade(uint256 account);
    error ClaimsMustHaveEnded(uint256 claimsEndAt);
    error EquityMustBeInRange(uint256 equity);
    error PotMustBeValued();
    error PotMustNotBeValued();
    error MarksMustMatchTable(bytes32 marksHash);
    error ShareMustBeUnpaid(uint256 account, uint256 token);
    error ForcedPaymentsMustMatch(uint256 served);
    error TableMustNotGoBack(uint256 tableNumber, uint256 previous);
    error TimeMustNotGoBack(uint256 time, uint256 previous);
    error TimeMustNotBeAhead(uint256 time);
    error TimeMustBeRecent(uint256 time);
    error RequestsMustBeQueued(uint256 requestCount, uint256 waiting);
    error RequestsMustFitShape(uint256 requestCount);
    error DepositsMustFitShape(uint256 count);
    error WithdrawalsMustFitShape(uint256 count);
    error AccountWordsMustFitShape(uint256 count);
    error WithdrawalMustBeFunded(uint256 token, uint256 amount, uint256 free);
    error RecipientMustBeNonzero();
    error WithdrawalMustBeInBatch();
    error WithdrawalMustBeUnclaimed();
}

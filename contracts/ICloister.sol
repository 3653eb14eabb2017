// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ICloisterTypes} from "./ICloisterTypes.sol";

/// @title The half of the house that every batch and every payment goes through.
interface ICloisterCore is ICloisterTypes {
    // ------------------------------------------------------------------------------------ accounts

    /// @notice Takes the next account index for the caller and queues its registration.
    /// @param x Point Q of BabyJubJub such that 8Q is the owner key.
    /// @param viewKeyHash Hash of a view key that the operator holds.
    /// @param operatorSignature EIP-712 signature by an operator over
    /// Registration(address l1Owner,uint256 ownerX,uint256 ownerY,uint256 viewKeyHash,uint256 nonce)
    /// in the domain (name "Cloister", version "1", chainId, verifyingContract), the nonce being
    /// `registrationNonce(l1Owner)`.
    /// @return account The index, final from now on.
    function register(uint256 x, uint256 y, uint256 viewKeyHash, bytes calldata operatorSignature)
        external
        returns (uint256 account);

    /// @notice Queues a change of the owner key to 8Q. The view key stays. One rotation of an
    /// account may wait at a time.
    function rotate(uint256 account, uint256 x, uint256 y) external;

    /// @notice Offers the account on L1 to another address; 0 withdraws the offer.
    function offerL1Owner(uint256 account, address nextL1Owner) external;

    /// @notice Accepts what was offered.
    function acceptL1Owner(uint256 account) external;

    // ------------------------------------------------------------------------------------ deposits

    /// @notice Pulls lots of a token for the account that the commitment hides.
    /// @param commitment Poseidon(account, secret), nonzero.
    function deposit(uint256 token, uint256 amount, uint256 commitment)
        external
        returns (uint256 id);

    /// @notice Starts the wait for a refund; until it is taken, a batch may credit the deposit.
    function requestRefund(uint256 id) external;

    /// @notice Returns a deposit that no batch has credited, after the delay; after a freeze at once.
    function takeRefund(uint256 id) external;

    // ------------------------------------------------------------------------ batches and payments

    /// @notice Verifies a batch and makes its root the latest. The statement is (C, x, y) with
    /// x = keccak256(abi.encodePacked(keccak256("cloister.v1"), chainId, uint256(contract),
    /// keyHash, C, words...)) mod p, 32 bytes each, and y = sum of words[i] * x^i mod p. The word
    /// `mode` is 1 (reduce-only) unless the batch's table and the latest one are confirmed and its
    /// table is young; then nothing is paid out either.
    /// @param depositIds Deposits that the batch credits, strictly ascending.
    /// @param withdrawals The used slots, first slots first.
    /// @param forcedPayments Lots paid to each forced exit that the batch serves, in the order of
    /// the queue. In the tree of payments they stand behind the withdrawals.
    /// @param accountWords Per touched account its index, leaf and eight cipher words, the fee
    /// account first: (members + 1) * 10 words.
    /// @param commitment C of the statement.
    /// @param proof a, b, c in the order in which snarkjs exports calldata.
    function submitBatch(
        BatchHeader calldata header,
        uint64[] calldata depositIds,
        Withdrawal[] calldata withdrawals,
        uint64[] calldata forcedPayments,
        uint256[] calldata accountWords,
        uint256 commitment,
        uint256[8] calldata proof
    ) external;

    /// @notice Pays a withdrawal or a forced exit to its address; anybody may call, also after a
    /// freeze.
    /// @param proof Keccak path with sorted pairs, as OpenZeppelin and merkletreejs have it.
    function claim(
        uint256 batchNumber,
        uint256 slot,
        uint256 token,
        uint256 amount,
        address to,
        bytes32[] calldata proof
    ) external;

    /// @notice Asks that the batches pay out as much of a token as the account can spare. Whoever
    /// serves the queue must serve it. Costs `forcedExitQueue().price`, which is burned; what is
    /// sent beyond is returned. One may wait per account, and the same token again only after
    /// `unwindDelay`.
    function forceExit(uint256 account, uint256 token, address to)
        external
        payable
        returns (uint256 serial);

    // --------------------------------------------------------------------------------------- views

    function forcedExitQueue() external view returns (ForcedExitQueue memory);
    /// @notice keccak256(chainId, contract) mod p: the first word of every batch.
    function domain() external view returns (uint256);
    /// @notice The code of the other half.
    function extension() external view returns (address);
    function withdrawalLeaf(uint256 batch, uint256 slot, uint256 token, uint256 amount, address to)
        external
        view
        returns (bytes32);

    // ----------------------------------------------------------------------------------- register

    /// @notice The operator's word that no account holds a balance of the first `count` entries of
    /// the register any more. A false one harms its own house alone: who cannot be touched is not
    /// served, which is a ground to freeze, and claims are paid from however many windows.
    function confirmConverted(uint256 count) external;

    /// @notice How many of the first entries of the register are said to be converted.
    function convertedCount() external view returns (uint256);
}

/// @title The other half: listings, tables, sweeps, views and the way out. Called at the address of
/// the house, which delegates.
interface ICloisterExtension is ICloisterTypes {
    // --------------------------------------------------------------------------------------- admin

    /// @notice Makes the lock the only admin, for good. Before, it is who deployed.
    function seal() external;

    /// @notice Lists a token.
    /// @param id Below 1024 and not 0; cash is 1. Never reused.
    /// @param unit Raw units in a lot, at least 1 and below 2^96.
    /// @param cap Most lots that the vault may hold, at least 1 and below 2^55.
    function addToken(uint256 id, address token, uint256 unit, uint256 cap) external;

    /// @notice Adds a verifying key and what its circuit holds.
    /// @param id Never reused: what a key has proven stays proven by it.
    /// @param keyHash Hash of the verifying key; it enters the challenge of every batch.
    /// @param isDevelopmentKey Proofs under this key can be forged by whoever knows its secret.
    function addShape(
        uint256 id,
        uint256 members,
        uint256 deposits,
        uint256 withdrawals,
        uint256 requests,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external;

    /// @notice Sets the fee of a page from the batch after the next on: the next one may be in
    /// flight, and was proven with the old one.
    /// @param fee Micro-dollars a page, below 2^40.
    function setFee(uint256 fee) external;

    // ------------------------------------------------------------------------------------ guardian

    /// @notice Stops batches, deposits and registrations, and nothing that leads out. No clock
    /// stops: a house that is paused for batchDelay can be frozen by anybody.
    function pause() external;
    /// @notice Ends the pause. A house on a public chain begins paused, and must be sealed first.
    function unpause() external;
    /// @notice Sets the mode of the house: 0 normal, 1 reduce-only. At once, so that a proof made
    /// in the other mode is void.
    function setMode(uint256 mode) external;

    // -------------------------------------------------------------------------------------- oracle

    /// @notice Posts a table of values.
    /// @param root Poseidon(marksRoot, worldsRoot, flags).
    /// @param dataHash Hash of the world file, from which the worlds root follows.
    /// @param marks abi.encode of (uint32 id, uint8 status, int64 mark)[], ids ascending; then the
    /// worlds root and the flags as two words, without which no claim can be proven from it. Its
    /// hash is kept: after a freeze the tokens of the pot are valued by it.
    /// @param isConfirmed False for an indicative table: mode reduce-only, no payments.
    function postTable(
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        bytes calldata marks,
        bool isConfirmed
    ) external returns (uint256 number);

    /// @notice Confirms the latest table, which was indicative.
    function confirmTable(uint256 number) external;

    /// @notice Fixes settlement values for ever and moves the register's root.
    /// @param ids Instruments, each at least 1024 and below 2^28, none set before.
    /// @param values Micro-dollars a lot, |value| < 2^48.
    function postSettlement(uint256[] calldata ids, int256[] calldata values, uint256 newRoot)
        external;

    /// @notice How many settlement values may be posted now. What is settled and may be unconverted
    /// never lies in more windows of 64 entries than a batch opens: two.
    function settlementRoom() external view returns (uint256);

    // -------------------------------------------------------------------------------------- sweeps

    /// @notice Adds a verifying key of the sweep.
    /// @param accounts Indices that one proof covers, a multiple of 8.
    function addSweepShape(
        uint256 id,
        uint256 accounts,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external;

    /// @notice Proves the next indices of the sweep under way: each is solvent at maintenance, or
    /// flagged and not overdue. Anybody may call. The words of the statement are those of
    /// circuits/sweep.ts, all but the last two filled in by the house.
    /// @param flagged Accounts that fail and are flagged.
    /// @param shortfall Micro-dollars that they lack.
    function submitSweep(
        uint256 shapeId,
        uint256 flagged,
        uint256 shortfall,
        uint256 commitment,
        uint256[8] calldata proof
    ) external;

    // -------------------------------------------------------------------------------- the way out

    /// @notice Ends the house for good, on a ground that holds: no batch, deposit, registration,
    /// request, table or settlement any more. What is owed stays payable, deposits that no batch
    /// has credited go back at once, and accounts claim their equity.
    /// @param serial Of the forced exit that waits for too long; 0 for other grounds.
    function freeze(Ground ground, uint256 serial) external;

    /// @notice Adds a verifying key of claims, before a freeze: a small one for most accounts, and
    /// one that takes every account.
    function addEscapeShape(
        uint256 id,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external;

    /// @notice Claims the equity of an account, by its L1 owner. The statement of the proof is
    /// (root of the last batch, root of the last confirmed table, register at it, account, equity).
    /// A claim after the window counts only as far as the claims within it left something.
    /// @param equity Micro-dollars: the account at the marks, 0 if that is negative.
    function escapeClaim(
        uint256 shapeId,
        uint256 account,
        uint256 equity,
        uint256[8] calldata proof
    ) external;

    /// @notice Values the pot by the marks as the last confirmed table was posted with. Anybody.
    function valuePot(bytes calldata marks) external;

    /// @notice Pays an account's share of one token: pot * claim / max(all claims, value of the pot),
    /// rounded down, once the window is over. Called by the L1 owner, once per token.
    function escapePay(uint256 account, uint256 token, address to) external;

    // --------------------------------------------------------------------------------------- views

    function sweep() external view returns (SweepRecord memory);
    function sweepShapes(uint256 id) external view returns (SweepShape memory);
    function isFrozen() external view returns (bool);
    function escape() external view returns (Escape memory);
    function escapeVerifiers(uint256 id) external view returns (address);
    function escapeClaims(uint256 account) external view returns (EscapeClaim memory);
    /// @notice Lots of a token that claims share: vault - owed - unconsumed at the freeze.
    function pot(uint256 token) external view returns (uint256);
    /// @notice Whether the house may be frozen on this ground now.
    function groundHolds(Ground ground, uint256 serial) external view returns (bool);
    /// @notice What the house was deployed with.
    function terms() external view returns (Terms memory);
    function fee() external view returns (uint256);
    /// @notice The fee of the batches after the next: `fee()` unless it is changing.
    function nextFee() external view returns (uint256);
    function isPaused() external view returns (bool);
    /// @notice Whether the lock is the only admin.
    function isSealed() external view returns (bool);
    /// @notice A ChangeLock: the only admin once the house is sealed.
    function lock() external view returns (address);
    /// @notice What the guardian has set: 0 normal, 1 reduce-only.
    function mode() external view returns (uint256);
    /// @notice Number of the latest batch; 0 is genesis.
    function batchNumber() external view returns (uint256);
    function batches(uint256 number) external view returns (BatchRecord memory);
    function roots(uint256 number) external view returns (uint256);
    /// @notice First index that holds no account at the latest root.
    function accountCount() external view returns (uint256);
    /// @notice Requests ever queued, and how many of them are served.
    function requestCount() external view returns (uint256);
    function served() external view returns (uint256);
    function request(uint256 serial) external view returns (Request memory);
    /// @notice The index that the next registration takes.
    function nextAccount() external view returns (uint256);
    function account(uint256 index) external view returns (Account memory);
    function registrationNonce(address l1Owner) external view returns (uint256);
    function depositCount() external view returns (uint256);
    function deposits(uint256 id) external view returns (Deposit memory);
    function tokens(uint256 id) external view returns (Token memory);
    /// @notice Ids of all tokens, in the order of listing.
    function tokenIds() external view returns (uint256[] memory);
    function vault(uint256 token) external view returns (uint256);
    function owed(uint256 token) external view returns (uint256);
    function unconsumedDeposits(uint256 token) external view returns (uint256);
    function shapes(uint256 id) external view returns (Shape memory);
    /// @notice Number of the latest table; 0 when there is none.
    function tableNumber() external view returns (uint256);
    /// @notice Number of the table that was confirmed last; 0 when there is none.
    function confirmedTableNumber() external view returns (uint256);
    function tables(uint256 number)
        external
        view
        returns (
            uint256 root,
            uint256 time,
            bool isConfirmed,
            bytes32 marksHash,
            uint256 registerRoot
        );
    function settlementRoot() external view returns (uint256);
    function settlement(uint256 id) external view returns (bool isSet, int256 value);
    function isClaimed(uint256 batch, uint256 slot) external view returns (bool);
    /// @notice Seconds in all during which the latest table was confirmed and young. Forced exits
    /// and sweeps are late by this clock, which stops while they cannot be served.
    function serviceTime() external view returns (uint256);
}

/// @title What the chain knows of the clearing house, and what can be asked of it: both halves.
/// @notice Amounts are in lots, a lot being `unit` raw units of its token. Times are in seconds. A
/// word is a number below the modulus of the scalar field of BN254. The contract verifies and pays;
/// it has no opinion about margin.
interface ICloister is ICloisterCore, ICloisterExtension {}

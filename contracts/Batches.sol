// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";
import {IGroth16Verifier} from "./IGroth16Verifier.sol";
import {Conversions} from "./Conversions.sol";
import {Deposits} from "./Deposits.sol";
import {ForcedExits} from "./ForcedExits.sol";
import {Registry} from "./Registry.sol";
import {Withdrawals} from "./Withdrawals.sol";
import {WordLib} from "./WordLib.sol";

/// @title A batch: its public words are put together, its proof is verified, its effects are kept.
/// @notice What L1 knows it fills in from its own storage; calldata has what the prover decides.
abstract contract Batches is Registry, Deposits, Withdrawals, ForcedExits, Conversions {
    using WordLib for uint256[];

    uint256 private constant DEPOSIT_WORDS = 4;
    uint256 private constant REQUEST_WORDS = 6;
    uint256 private constant WITHDRAWAL_WORDS = 3;
    uint256 private constant ACCOUNT_WORDS = 2 + Law.CIPHER_WORD_COUNT;
    /// @dev The serial of a request stands above the three bits of its kind.
    uint256 private constant SERIAL_FACTOR = 8;

    /// @notice keccak256(chainId, contract) mod p at deployment: the first word of every batch. It
    /// is in every journal, so it outlives a fork of the chain; x takes the chain's id of the day.
    uint256 public immutable domain;

    /// @dev What one submission carries from stanza to stanza.
    struct Draft {
        uint256 number;
        uint256 newRoot;
        /// The challenge of the statement.
        uint256 x;
        Shape shape;
        Counters counters;
        Progress previous;
        Progress next;
        uint256[] statement;
        /// Served forced exits, in the order of the queue.
        Withdrawal[] forced;
        uint256 mode;
        /// Whether the batch's table is; then it stands for the confirmed one as well, so that a
        /// newer table voids no proof.
        bool isConfirmed;
    }

    function submitBatch(
        BatchHeader calldata header,
        uint64[] calldata depositIds,
        Withdrawal[] calldata withdrawals,
        uint64[] calldata forcedPayments,
        uint256[] calldata accountWords,
        uint256 commitment,
        uint256[8] calldata proof
    ) external onlyRole(OPERATOR) {
        Draft memory draft = _openDraft(header, forcedPayments);
        _requireWord(commitment);
        _requireFit(
            draft.shape, header, depositIds.length, withdrawals.length, accountWords.length
        );
        _requireTime(header.time, draft.previous.time);
        _requireTable(header.tableNumber, draft.counters.tableNumber, draft.previous.tableNumber);

        _requireService(draft, header.tableNumber, withdrawals.length);

        _compose(draft, header, depositIds, withdrawals, accountWords, commitment);
        _requireProof(draft, commitment, proof);

        _keep(draft);
        _consume(depositIds);
        _owe(draft.number, withdrawals, draft.forced);
        draft.statement.emitBatch(Batch.selector, draft.number, header.shapeId, draft.x);
        if (draft.counters.isFeeChanging) emit FeeSet(_counters.fee);
    }

    function _openDraft(BatchHeader calldata header, uint64[] calldata forcedPayments)
        private
        view
        returns (Draft memory draft)
    {
        draft.shape = _shapes[header.shapeId];
        if (draft.shape.verifier == address(0)) revert ShapeMustBeKnown(header.shapeId);
        draft.counters = _counters;
        if (draft.counters.isFrozen) revert FrozenMustNotContinue();
        if (draft.counters.isPaused) revert PausedMustNotContinue();
        draft.number = uint256(draft.counters.batchNumber) + 1;
        draft.newRoot = header.newRoot;
        draft.previous = _progress[draft.counters.batchNumber];
        uint256 waiting = draft.counters.requestCount - draft.previous.served;
        if (header.requestCount > waiting) {
            revert RequestsMustBeQueued(header.requestCount, waiting);
        }
        draft.forced = new Withdrawal[](forcedPayments.length);
        for (uint256 i = 0; i < forcedPayments.length; i++) {
            draft.forced[i].amount = forcedPayments[i];
        }
    }

    function _requireFit(
        Shape memory shape,
        BatchHeader calldata header,
        uint256 depositCount_,
        uint256 withdrawalCount,
        uint256 accountWordCount
    ) private pure {
        if (header.requestCount > shape.requests) revert RequestsMustFitShape(header.requestCount);
        if (depositCount_ > shape.deposits) revert DepositsMustFitShape(depositCount_);
        if (withdrawalCount > shape.withdrawals) revert WithdrawalsMustFitShape(withdrawalCount);
        if (accountWordCount != (uint256(shape.members) + 1) * ACCOUNT_WORDS) {
            revert AccountWordsMustFitShape(accountWordCount);
        }
    }

    /// @dev Time never goes back, is never ahead, and lags by less than the life of a page.
    function _requireTime(uint256 time, uint256 previous) private view {
        if (time < previous) revert TimeMustNotGoBack(time, previous);
        if (time > block.timestamp) revert TimeMustNotBeAhead(time);
        if (block.timestamp - time >= Law.PAGE_LIFE_SECONDS) revert TimeMustBeRecent(time);
    }

    /// @dev The latest table or the one before, and never an older one than the last batch had.
    function _requireTable(uint256 named, uint256 latest, uint256 previous) private pure {
        if (named == 0 || named > latest || latest - named > 1) {
            revert TableMustBeCurrent(named, latest);
        }
        if (named < previous) revert TableMustNotGoBack(named, previous);
    }

    /// @dev The mode of the batch. Normal only if its table and the latest one are confirmed, and
    /// its table is young; otherwise risk is only reduced, and nothing new is paid out.
    function _requireService(Draft memory draft, uint256 number, uint256 withdrawalCount)
        private
        view
    {
        ServiceClock memory clock = _clock;
        Counters memory counters = draft.counters;
        // What a batch credits can be claimed after a freeze at a confirmed table only.
        if (counters.confirmedTable == 0) revert FirstTableMustBeConfirmed(number);
        bool isServing;
        if (number == counters.confirmedTable) {
            // The clock runs until the latest confirmed table is too old.
            (draft.isConfirmed, isServing) = (true, block.timestamp <= clock.until);
        } else {
            Table storage table = _tables[number];
            draft.isConfirmed = table.isConfirmed;
            isServing =
                draft.isConfirmed && block.timestamp <= uint256(table.time) + _tableLife;
        }
        isServing = isServing && counters.confirmedTable == counters.tableNumber;
        draft.mode = isServing ? counters.mode : MODE_REDUCE_ONLY;

        if (withdrawalCount + draft.forced.length == 0) return;
        if (!isServing) revert WithdrawalMustAwaitConfirmedTable(number);
        if (
            withdrawalCount != 0 && _serviceTimeOf(clock) - clock.sweptAt > _lateSweepDelay
        ) revert WithdrawalMustAwaitSweep(clock.sweptAt);
    }

    function _wordCount(Shape memory shape) private pure returns (uint256) {
        return Law.HEADER_WORDS + shape.deposits * DEPOSIT_WORDS + shape.requests * REQUEST_WORDS
            + shape.withdrawals * WITHDRAWAL_WORDS + (uint256(shape.members) + 1) * ACCOUNT_WORDS;
    }

    /// @dev Puts the statement together, in the order of circuits/words.ts.
    function _compose(
        Draft memory draft,
        BatchHeader calldata header,
        uint64[] calldata depositIds,
        Withdrawal[] calldata withdrawals,
        uint256[] calldata accountWords,
        uint256 commitment
    ) private view {
        Shape memory shape = draft.shape;
        draft.statement = WordLib.allocate(shape.keyHash, commitment, _wordCount(shape));
        uint256 place = WordLib.PREFIX_COUNT + Law.HEADER_WORDS;
        _fillDeposits(draft.statement, place, depositIds);
        place += shape.deposits * DEPOSIT_WORDS;
        uint256 registrations = _fillRequests(draft, place, header.requestCount);
        place += shape.requests * REQUEST_WORDS;
        _fillWithdrawals(draft.statement, place, withdrawals);
        draft.statement.fillTail(accountWords);
        draft.next = _nextProgress(draft.previous, header, registrations);
        _fillHeader(draft, header);
    }

    function _fillDeposits(uint256[] memory statement, uint256 place, uint64[] calldata ids)
        private
        view
    {
        uint256 previous = 0;
        for (uint256 i = 0; i < ids.length; i++) {
            uint256 id = ids[i];
            if (id <= previous) revert DepositIdsMustAscend(id);
            Deposit storage open = _openDeposit(id);
            statement[place++] = id;
            statement[place++] = open.commitment;
            statement[place++] = open.token;
            statement[place++] = open.amount;
            previous = id;
        }
    }

    function _fillRequests(Draft memory draft, uint256 place, uint256 count)
        private
        view
        returns (uint256 registrations)
    {
        uint256[] memory statement = draft.statement;
        uint256 forcedCount = 0;
        for (uint256 i = 0; i < count; i++) {
            uint256 serial = draft.previous.served + i;
            Request storage queued = _requests[serial];
            uint256 kind = queued.kind;
            if (kind == Law.REQUEST_REGISTER) registrations++;
            statement[place] = kind + SERIAL_FACTOR * serial;
            statement[place + 1] = queued.account;
            statement[place + 2] = queued.x;
            statement[place + 3] = queued.y;
            if (kind == FORCED_EXIT) {
                if (forcedCount == draft.forced.length) revert ForcedPaymentsMustMatch(forcedCount);
                statement[place + 4] = _requireForcedPayment(draft.forced, forcedCount, queued);
                statement[place + 5] = draft.forced[forcedCount++].amount;
            } else {
                statement[place + 4] = queued.viewKeyHash;
            }
            place += REQUEST_WORDS;
        }
        if (forcedCount != draft.forced.length) revert ForcedPaymentsMustMatch(forcedCount);
    }

    /// @dev Completes the next forced payment of the list.
    /// @return free Lots that can be paid: what the vault has free before this batch, less the
    /// earlier forced payments of the same token in it. The prover cannot choose it.
    function _requireForcedPayment(
        Withdrawal[] memory forced,
        uint256 place,
        Request storage queued
    ) private view returns (uint256 free) {
        uint256 tokenId = queued.x;
        uint256 amount = forced[place].amount;
        free = _free(_tokens[tokenId]);
        for (uint256 i = 0; i < place; i++) {
            if (forced[i].token == tokenId) free -= forced[i].amount;
        }
        if (amount >= AMOUNT_UPPER_BOUND) revert AmountMustBeInRange(amount);
        if (amount > free) revert WithdrawalMustBeFunded(tokenId, amount, free);
        // The address was one when it was queued.
        forced[place].token = tokenId;
        forced[place].to = address(uint160(queued.y));
    }

    function _fillWithdrawals(uint256[] memory statement, uint256 place, Withdrawal[] calldata list)
        private
        view
    {
        for (uint256 i = 0; i < list.length; i++) {
            _requirePayable(list[i]);
            statement[place++] = list[i].token;
            statement[place++] = list[i].amount;
            statement[place++] = uint160(list[i].to);
        }
    }

    /// @dev Casts are safe: the time and the table number were checked against 64-bit ones, and
    /// registrations cannot outnumber the indices, which are below 2^18.
    function _nextProgress(
        Progress memory previous,
        BatchHeader calldata header,
        uint256 registrations
    ) private pure returns (Progress memory) {
        return Progress({
            tableNumber: uint64(header.tableNumber),
            time: uint64(header.time),
            accountCount: previous.accountCount + uint32(registrations),
            served: previous.served + uint64(header.requestCount)
        });
    }

    /// @dev Reserved words stay 0.
    function _fillHeader(Draft memory draft, BatchHeader calldata header) private view {
        uint256[] memory statement = draft.statement;
        uint256 place = WordLib.PREFIX_COUNT;
        uint256 tableRoot = _tables[header.tableNumber].root;
        statement[place + Law.WORD_DOMAIN] = domain;
        statement[place + Law.WORD_BATCH_NUMBER] = draft.number;
        statement[place + Law.WORD_TIME] = header.time;
        statement[place + Law.WORD_MODE] = draft.mode;
        statement[place + Law.WORD_OLD_ROOT] = _roots[draft.number - 1];
        statement[place + Law.WORD_NEW_ROOT] = header.newRoot;
        statement[place + Law.WORD_TABLE_NUMBER] = header.tableNumber;
        statement[place + Law.WORD_TABLE_ROOT] = tableRoot;
        statement[place + Law.WORD_CONFIRMED_TABLE_ROOT] =
            draft.isConfirmed ? tableRoot : _tables[draft.counters.confirmedTable].root;
        statement[place + Law.WORD_SETTLEMENT_ROOT] = _settlementRoot;
        statement[place + Law.WORD_FEE] = draft.counters.fee;
        statement[place + Law.WORD_ACCOUNT_COUNT_BEFORE] = draft.previous.accountCount;
        statement[place + Law.WORD_ACCOUNT_COUNT_AFTER] = draft.next.accountCount;
        statement[place + Law.WORD_BATCH_NONCE] = header.batchNonce;
    }

    function _requireProof(Draft memory draft, uint256 commitment, uint256[8] calldata proof)
        private
        view
    {
        (uint256 x, uint256 y, bool isValid) = draft.statement.evaluate();
        draft.x = x;
        if (!isValid) revert WordMustBeBelowModulus();
        bool holds = IGroth16Verifier(draft.shape.verifier).verifyProof(
            [proof[0], proof[1]],
            [[proof[2], proof[3]], [proof[4], proof[5]]],
            [proof[6], proof[7]],
            [commitment, x, y]
        );
        if (!holds) revert ProofMustVerify();
    }

    /// @dev What is due for the sweep is fixed before the state moves on. Forced exits that are
    /// served leave the queue, which then has room again.
    function _keep(Draft memory draft) private {
        uint256 dueAt = draft.counters.sweepDueAt;
        if (dueAt != 0 && block.timestamp >= dueAt) {
            _fixSweep(draft.number - 1, draft.previous.accountCount);
        }
        _counters.batchNumber = uint40(draft.number);
        if (draft.counters.isFeeChanging) {
            _counters.fee = _nextFee;
            _counters.isFeeChanging = false;
        }
        _roots[draft.number] = draft.newRoot;
        _progress[draft.number] = draft.next;
        if (draft.forced.length != 0) {
            ForcedQueue memory queue = _forced;
            queue.pending -= uint8(draft.forced.length); // no more than were pending
            if (queue.roomAt == 0) queue.roomAt = uint40(block.timestamp);
            _forced = queue;
        }
    }

    function _consume(uint64[] calldata ids) private {
        for (uint256 i = 0; i < ids.length; i++) {
            Deposit storage open = _deposits[ids[i]];
            open.status = DepositStatus.Consumed;
            _tokens[open.token].unconsumed -= open.amount;
        }
    }
}

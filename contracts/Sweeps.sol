// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IGroth16Verifier} from "./IGroth16Verifier.sol";
import {Tables} from "./Tables.sol";
import {WordLib} from "./WordLib.sol";

/// @title The proof that everybody is solvent, also who was not touched for long.
/// @notice L1 says what is proven: the table is the first confirmed one of an epoch, the state the
/// latest at the end of the flag delay after it, whatever its age. So an operator can choose neither
/// the prices nor the moment.
abstract contract Sweeps is Tables {
    using WordLib for uint256[];

    uint256 private constant SWEEP_WORDS = 8;
    uint256 private constant SWEEP_SIZE_UPPER_BOUND = 4096;

    function addSweepShape(
        uint256 id,
        uint256 accounts,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external onlyRole(ADMIN) {
        _requireNotFrozen();
        if (_sweepShapes[id].verifier != address(0)) revert ShapeMustBeNew(id);
        if (accounts == 0 || accounts % 8 != 0 || accounts >= SWEEP_SIZE_UPPER_BOUND) {
            revert ShapeMustFitWords(id);
        }
        _requireVerifier(verifier, isDevelopmentKey);

        _sweepShapes[id] = SweepShape({
            verifier: verifier,
            accounts: uint16(accounts),
            isDevelopmentKey: isDevelopmentKey,
            keyHash: keyHash
        });
        emit SweepShapeAdded(id, name, accounts, verifier, keyHash, isDevelopmentKey);
    }

    function submitSweep(
        uint256 shapeId,
        uint256 flagged,
        uint256 shortfall,
        uint256 commitment,
        uint256[8] calldata proof
    ) external {
        _requireNotFrozen();
        _requireFixed();
        SweepShape memory shape = _sweepShapes[shapeId];
        if (shape.verifier == address(0)) revert ShapeMustBeKnown(shapeId);
        SweepState memory state = _sweep;
        uint256 first = state.next;
        if (first % shape.accounts != 0) revert SweepMustBeAligned(first, shape.accounts);
        if (flagged > shape.accounts || shortfall >= 1 << 120) revert SweepSumsMustBeInRange();
        _requireWord(commitment);

        uint256[] memory statement = _statementOf(state, shape.keyHash, commitment);
        statement[WordLib.PREFIX_COUNT + 6] = flagged;
        statement[WordLib.PREFIX_COUNT + 7] = shortfall;
        _requireSweepProof(statement, shape.verifier, commitment, proof);

        // Casts are safe: at most 2^18 accounts, each lacking less than 2^110.
        _sweep.next = uint32(first + shape.accounts);
        _sweep.flagged = state.flagged + uint32(flagged);
        _sweep.shortfall = state.shortfall + uint128(shortfall);
        emit SweepProven(state.table, first, first + shape.accounts, flagged, shortfall);
        if (first + shape.accounts >= state.accountCount) _completeSweep();
    }

    function sweep() external view returns (SweepRecord memory) {
        SweepState memory state = _sweep;
        return SweepRecord({
            table: state.table,
            time: uint256(state.startedAt) + _flagDelay,
            isFixed: state.isFixed,
            batch: state.batch,
            accountCount: state.accountCount,
            settlementRoot: _tables[state.table].settlementRoot,
            next: state.next,
            flagged: state.flagged,
            shortfall: state.shortfall,
            sweptAt: _clock.sweptAt
        });
    }

    function sweepShapes(uint256 id) external view returns (SweepShape memory) {
        return _sweepShapes[id];
    }

    /// @dev The first confirmed table of an epoch begins its sweep. One that is still under way from
    /// an epoch before is given up: what is proven of a later epoch discharges the earlier ones.
    function _beginSweep(uint256 table) internal override {
        uint256 startedAt = _sweep.startedAt;
        if (startedAt != 0 && block.timestamp < startedAt + _sweepEpoch) return;
        uint256 dueAt = block.timestamp + _flagDelay;
        delete _sweep;
        _sweep.table = uint40(table);
        _sweep.startedAt = uint40(block.timestamp);
        _sweepStartedAt = _serviceTime();
        _counters.sweepDueAt = uint40(dueAt);
        emit SweepStarted(table, dueAt);
    }

    /// @dev A batch fixes the state when it is due; without one the state is the latest still.
    function _requireFixed() private {
        if (_sweep.table == 0) revert SweepMustBeUnderWay();
        if (_sweep.isFixed) return;
        uint256 dueAt = _counters.sweepDueAt;
        if (block.timestamp < dueAt) revert SweepMustBeDue(dueAt);
        uint256 number = _counters.batchNumber;
        _fixSweep(number, _progress[number].accountCount);
    }

    /// @dev The words of circuits/sweep.ts, the last two still 0.
    function _statementOf(SweepState memory state, bytes32 keyHash, uint256 commitment)
        private
        view
        returns (uint256[] memory statement)
    {
        statement = WordLib.allocate(keyHash, commitment, SWEEP_WORDS);
        uint256 place = WordLib.PREFIX_COUNT;
        statement[place] = _roots[state.batch];
        statement[place + 1] = _tables[state.table].root;
        statement[place + 2] = _tables[state.table].settlementRoot;
        statement[place + 3] = state.next;
        statement[place + 4] = uint256(state.startedAt) + _flagDelay;
        statement[place + 5] = _callDelay;
    }

    function _requireSweepProof(
        uint256[] memory statement,
        address verifier,
        uint256 commitment,
        uint256[8] calldata proof
    ) private view {
        (uint256 x, uint256 y, bool isValid) = statement.evaluate();
        if (!isValid) revert WordMustBeBelowModulus();
        bool holds = IGroth16Verifier(verifier).verifyProof(
            [proof[0], proof[1]],
            [[proof[2], proof[3]], [proof[4], proof[5]]],
            [proof[6], proof[7]],
            [commitment, x, y]
        );
        if (!holds) revert ProofMustVerify();
    }

    function _completeSweep() private {
        SweepState storage state = _sweep;
        _clock.sweptAt = uint64(_sweepStartedAt);
        emit SweepCompleted(state.table, state.batch, state.flagged, state.shortfall);
        state.table = 0;
    }
}

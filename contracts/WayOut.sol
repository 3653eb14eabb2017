// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Law} from "./generated/Law.sol";
import {IEscapeVerifier} from "./IEscapeVerifier.sol";
import {Sweeps} from "./Sweeps.sol";

/// @title The end of the house: frozen on a ground, shared out by equity.
/// @notice After the freeze nothing adds to an account or takes from it, so the pot of a token,
/// vault - owed - unconsumed, changes by shares alone: refunds and claims of withdrawals take the
/// same from both sides. Each share is floor(pot * claim / D) with one D for all, and the claims that
/// count sum to at most D: so no order of calls changes a share, and all shares fit the pot.
abstract contract WayOut is Sweeps, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev An equity is below 18 * 2^55 * 2^49 < 2^109, and 2^18 of them fit 128 bits.
    uint256 private constant EQUITY_UPPER_BOUND = 1 << 109;
    /// @dev |mark| < 2^48, VALUE_BITS of circuits/params.ts.
    uint256 private constant MARK_UPPER_BOUND = 1 << 48;

    function addEscapeShape(
        uint256 id,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external onlyRole(ADMIN) {
        _requireNotFrozen();
        if (_escapeVerifiers[id] != address(0)) revert ShapeMustBeNew(id);
        _requireVerifier(verifier, isDevelopmentKey);

        _escapeVerifiers[id] = verifier;
        _hasEscapeVerifier = true;
        emit EscapeShapeAdded(id, name, verifier, keyHash, isDevelopmentKey);
    }

    function freeze(Ground ground, uint256 serial) external {
        _requireNotFrozen();
        if (!groundHolds(ground, serial)) revert GroundMustHold(uint8(ground));

        _counters.isFrozen = true;
        _frozenAt = block.timestamp;
        emit Frozen(ground, _counters.batchNumber, _counters.confirmedTable, _claimsEndAt());
    }

    function escapeClaim(uint256 shapeId, uint256 index, uint256 equity, uint256[8] calldata proof)
        external
    {
        _requireFrozen();
        // House accounts have no L1 owner, and so never claim.
        _requireL1Owner(index);
        if (_escapeClaims[index].isMade) revert ClaimMustBeNew(index);
        if (equity >= EQUITY_UPPER_BOUND) revert EquityMustBeInRange(equity);
        _requireClaimProof(shapeId, index, equity, proof);

        uint256 amount = equity;
        if (block.timestamp <= _claimsEndAt()) {
            _claimsInWindow += uint128(amount);
        } else {
            // Late: what the others left, at the same rate, first come first served.
            uint256 room = _denominator() - _claimsInWindow - _lateClaims;
            if (amount > room) amount = room;
            _lateClaims += uint128(amount);
        }
        _escapeClaims[index] = EscapeClaim({amount: uint128(amount), isMade: true});
        emit EscapeClaimed(index, msg.sender, equity, amount);
    }

    function valuePot(bytes calldata marks) external {
        _requireFrozen();
        if (_isPotValued) revert PotMustNotBeValued();
        bytes32 marksHash = _tables[_counters.confirmedTable].marksHash;
        if (keccak256(marks) != marksHash) revert MarksMustMatchTable(marksHash);

        uint256 value = _valueOf(marks);
        _isPotValued = true;
        _potValue = uint128(value);
        emit PotValued(value);
    }

    function escapePay(uint256 index, uint256 tokenId, address to) external nonReentrant {
        _requireFrozen();
        _requireL1Owner(index);
        if (block.timestamp <= _claimsEndAt()) revert ClaimsMustHaveEnded(_claimsEndAt());
        if (!_escapeClaims[index].isMade) revert ClaimMustBeMade(index);
        if (_isEscapePaid[index][tokenId]) revert ShareMustBeUnpaid(index, tokenId);
        if (to == address(0)) revert RecipientMustBeNonzero();
        Token storage token = _knownToken(tokenId);
        uint256 denominator = _denominator();
        uint256 share = denominator == 0
            ? 0
            : _pot(tokenId) * _escapeClaims[index].amount / denominator; // 55 + 109 = 164 bits

        _isEscapePaid[index][tokenId] = true;
        _escaped[tokenId] += share;
        token.vault -= uint64(share); // a part of the pot, which is below 2^55
        emit EscapePaid(index, tokenId, to, share);

        if (share > 0) IERC20(token.token).safeTransfer(to, share * token.unit);
    }

    function groundHolds(Ground ground, uint256 serial) public view returns (bool) {
        uint256 serviceTime_ = _serviceTime();
        if (ground == Ground.ForcedExit) return _isForcedExitLate(serial, serviceTime_);
        if (ground == Ground.QueueFull) return _isQueueFullForLong(serviceTime_);
        if (ground == Ground.NoBatch) {
            return block.timestamp - _progress[_counters.batchNumber].time > _batchDelay;
        }
        if (ground == Ground.NoTable) {
            uint256 number = _counters.confirmedTable;
            uint256 time = number == 0 ? _progress[0].time : _tables[number].time;
            return block.timestamp - time > _tableDelay;
        }
        return ground == Ground.NoSweep && serviceTime_ - _clock.sweptAt > _sweepDelay;
    }

    function isFrozen() external view returns (bool) {
        return _counters.isFrozen;
    }

    function escape() external view returns (Escape memory) {
        return Escape({
            frozenAt: _frozenAt,
            claimsEndAt: _counters.isFrozen ? _claimsEndAt() : 0,
            isPotValued: _isPotValued,
            potValue: _potValue,
            claims: _claimsInWindow,
            lateClaims: _lateClaims
        });
    }

    function escapeVerifiers(uint256 id) external view returns (address) {
        return _escapeVerifiers[id];
    }

    function escapeClaims(uint256 index) external view returns (EscapeClaim memory) {
        return _escapeClaims[index];
    }

    function pot(uint256 tokenId) external view returns (uint256) {
        return _pot(tokenId);
    }

    /// @dev Late by the clock of service; or by the wall clock, the longest time without a confirmed
    /// table added. Else indicative tables, posted right behind confirmed ones, would hold the clock of
    /// service for ever, and with it everybody, while no other ground ever comes.
    function _isForcedExitLate(uint256 serial, uint256 serviceTime_) private view returns (bool) {
        if (serial < _served() || serial >= _counters.requestCount) return false;
        Request storage queued = _requests[serial];
        if (queued.kind != FORCED_EXIT) return false;
        if (serviceTime_ - queued.requestedAt > _forceDelay) return true;
        // Of this request: the same token is not asked for again before it is served.
        uint256 askedAt = _forcedAt[queued.account][queued.x];
        return block.timestamp - askedAt > _forceDelay + _tableDelay;
    }

    /// @dev By either clock, for the same reason: each request is served before it is late, its place
    /// is taken again at once, and the clock of service runs for those moments only.
    function _isQueueFullForLong(uint256 serviceTime_) private view returns (bool) {
        ForcedQueue memory queue = _forced;
        uint256 fullSince = _fullSince(queue);
        if (fullSince == 0) return false;
        if (serviceTime_ - (fullSince - 1) > _fullDelay) return true;
        return block.timestamp - queue.fullAt > _fullDelay + _tableDelay;
    }

    function _requireFrozen() private view {
        if (!_counters.isFrozen) revert HouseMustBeFrozen();
    }

    function _claimsEndAt() private view returns (uint256) {
        return _frozenAt + _claimsWindow;
    }

    /// @dev Shares that were paid still count: the pot is what it was at the freeze.
    function _pot(uint256 tokenId) private view returns (uint256) {
        return _free(_tokens[tokenId]) + _escaped[tokenId];
    }

    /// @dev What a claim of one micro-dollar is divided by, final when the window is over.
    function _denominator() private view returns (uint256) {
        if (!_isPotValued) revert PotMustBeValued();
        return _claimsInWindow > _potValue ? _claimsInWindow : _potValue;
    }

    /// @dev Micro-dollars. Reads the ABI encoding (uint32 id, uint8 status, int64 mark)[] row by row,
    /// once, and never fails, since no oracle may hold up the way out: a row takes less gas here than
    /// it took to post. Ids ascend; a row that does not, or whose mark is none, counts for nothing, and
    /// then claims alone divide the pot. What is no token has no pot.
    function _valueOf(bytes calldata marks) private view returns (uint256 value) {
        uint256 last = Law.CASH_ID;
        value = _pot(last);
        for (uint256 place = 64; place + 96 <= marks.length; place += 96) {
            uint256 id = uint256(bytes32(marks[place:place + 32]));
            if (id <= last || id >= Law.TOKEN_UPPER_BOUND) continue;
            last = id;
            uint256 mark = uint256(bytes32(marks[place + 64:place + 96]));
            if (mark < MARK_UPPER_BOUND) value += _pot(id) * mark; // 55 + 48 + 5 = 108 bits
        }
    }

    function _requireClaimProof(
        uint256 shapeId,
        uint256 index,
        uint256 equity,
        uint256[8] calldata proof
    ) private view {
        address verifier = _escapeVerifiers[shapeId];
        if (verifier == address(0)) revert ShapeMustBeKnown(shapeId);
        Table storage table = _tables[_counters.confirmedTable];
        bool holds = IEscapeVerifier(verifier).verifyProof(
            [proof[0], proof[1]],
            [[proof[2], proof[3]], [proof[4], proof[5]]],
            [proof[6], proof[7]],
            [
                _roots[_counters.batchNumber],
                table.root,
                table.settlementRoot,
                index,
                equity
            ]
        );
        if (!holds) revert ProofMustVerify();
    }
}

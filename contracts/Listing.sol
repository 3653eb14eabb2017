// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Law} from "./generated/Law.sol";
import {Views} from "./Views.sol";

/// @title What the admin may do: list tokens and verifying keys, set the fee; and what the guardian
/// may: stop what comes in.
/// @notice Before the seal the admin is who deployed, and a public chain's house takes nothing in;
/// after it the admin is the lock. Nothing here removes or replaces: keys and tokens are added.
abstract contract Listing is Views {
    uint256 private constant FEE_UPPER_BOUND = 1 << Law.FEE_BITS;
    uint256 private constant UNIT_UPPER_BOUND = 1 << 96;
    /// @dev Bounds of a shape: claims are bits of one word, and every size fits its field.
    uint256 private constant SHAPE_SIZE_UPPER_BOUND = 256;
    /// @dev So that no reader of the events meets an id that its numbers cannot hold.
    uint256 private constant SHAPE_ID_UPPER_BOUND = 1 << 32;
    /// @dev An account holds at most so many tokens, and the pot is valued in one call.
    uint256 private constant MAX_TOKEN_COUNT = 17;

    function addToken(uint256 id, address token, uint256 unit, uint256 cap)
        external
        onlyRole(ADMIN)
    {
        _requireNotFrozen();
        if (id == 0 || id >= Law.TOKEN_UPPER_BOUND) revert TokenIdMustBeInRange(id);
        // One id a token: two could each count the same balance as theirs.
        if (_tokens[id].token != address(0) || _isListed[token]) revert TokenMustBeNew(id, token);
        if (token.code.length == 0) revert TokenMustBeContract(token);
        if (unit == 0 || unit >= UNIT_UPPER_BOUND) revert UnitMustBeInRange(unit);
        if (cap == 0 || cap >= AMOUNT_UPPER_BOUND) revert CapMustBeInRange(cap);
        if (_tokenIds.length >= MAX_TOKEN_COUNT) revert TokenMustHaveRoom(id);

        _isListed[token] = true;
        _tokenIds.push(id);
        _tokens[id].token = token;
        _tokens[id].unit = uint96(unit);
        _tokens[id].cap = uint64(cap);
        emit TokenAdded(id, token, unit, cap);
    }

    function addShape(
        uint256 id,
        uint256 members,
        uint256 deposits_,
        uint256 withdrawals,
        uint256 requests,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external onlyRole(ADMIN) {
        _requireNotFrozen();
        if (_shapes[id].verifier != address(0)) revert ShapeMustBeNew(id);
        if (
            members == 0 || members >= SHAPE_SIZE_UPPER_BOUND || deposits_ >= SHAPE_SIZE_UPPER_BOUND
                || withdrawals >= SHAPE_SIZE_UPPER_BOUND || requests >= SHAPE_SIZE_UPPER_BOUND
                || withdrawals + requests >= SHAPE_SIZE_UPPER_BOUND || id >= SHAPE_ID_UPPER_BOUND
        ) revert ShapeMustFitWords(id);
        _requireVerifier(verifier, isDevelopmentKey);

        _shapes[id] = Shape({
            verifier: verifier,
            members: uint16(members),
            deposits: uint16(deposits_),
            withdrawals: uint16(withdrawals),
            requests: uint16(requests),
            isDevelopmentKey: isDevelopmentKey,
            keyHash: keyHash
        });
        emit ShapeAdded(id, name, verifier, keyHash, isDevelopmentKey);
    }

    function setFee(uint256 fee_) external onlyRole(ADMIN) {
        if (fee_ >= FEE_UPPER_BOUND) revert FeeMustBeInRange(fee_);

        _nextFee = uint40(fee_);
        _counters.isFeeChanging = true;
        emit FeeChanging(fee_);
    }

    function seal() external onlyRole(ADMIN) {
        // After a freeze none can be added, and then nobody could ever claim.
        if (!_hasEscapeVerifier && !_isLocalChain()) revert WayOutMustHaveVerifier();

        _isSealed = true;
        emit Sealed(_lock);
    }

    function pause() external onlyRole(GUARDIAN) {
        _counters.isPaused = true;
        emit Paused();
    }

    function unpause() external onlyRole(GUARDIAN) {
        // What comes in is bound by rules that only an announced change can alter.
        if (!_isSealed && !_isLocalChain()) revert HouseMustBeSealed();

        _counters.isPaused = false;
        emit Unpaused();
    }

    function setMode(uint256 mode_) external onlyRole(GUARDIAN) {
        if (mode_ > MODE_REDUCE_ONLY) revert ModeMustBeKnown(mode_);

        _counters.mode = uint8(mode_);
        emit ModeSet(mode_);
    }

    /// @dev A key whose secret is public text stays where nothing is worth anything, or whoever
    /// deployed has said that anybody may forge.
    function _requireVerifier(address verifier, bool isDevelopmentKey) internal view {
        if (verifier.code.length == 0) revert VerifierMustBeContract(verifier);
        if (isDevelopmentKey && !_letsAnybodyForge && !_isLocalChain()) {
            revert DevelopmentKeyMustStayLocal();
        }
    }
}

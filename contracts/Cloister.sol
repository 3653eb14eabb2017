// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Law} from "./generated/Law.sol";
import {Batches} from "./Batches.sol";

/// @title The clearing house on L1: it holds the money, orders the batches, verifies and pays.
/// @notice Not upgradeable. What the admin does takes effect immediately for now; a time lock that is
/// longer than the way out is to come before it.
contract Cloister is Batches {
    uint256 private constant FEE_UPPER_BOUND = 1 << Law.FEE_BITS;
    uint256 private constant UNIT_UPPER_BOUND = 1 << 96;

    mapping(address token => bool isListed) private _isListed;

    constructor(Configuration memory configuration) EIP712("Cloister", "1") {
        _requireWord(configuration.genesisRoot);
        _requireWord(configuration.feeAccountLeaf);
        _requireWord(configuration.feeAccountViewKeyHash);
        _requireWord(configuration.feeAccountMeta);
        _requireWord(configuration.settlementRoot);
        if (configuration.refundDelay <= Law.PAGE_LIFE_SECONDS) {
            revert RefundDelayMustExceedPageLife(configuration.refundDelay);
        }

        domain = uint256(keccak256(abi.encode(block.chainid, address(this)))) % Law.FIELD_MODULUS;
        refundDelay = configuration.refundDelay;
        settlementRoot = configuration.settlementRoot;
        roots[0] = configuration.genesisRoot;
        _progress[0] = Progress({
            tableNumber: 0,
            time: uint64(block.timestamp),
            accountCount: uint32(Law.FIRST_MEMBER_INDEX),
            served: 0
        });
        _grantRole(ADMIN, configuration.admin);
        _grantRole(OPERATOR, configuration.operator);
        _grantRole(ORACLE, configuration.oracle);
        emit Genesis(
            configuration.genesisRoot,
            configuration.feeAccountLeaf,
            configuration.feeAccountViewKeyHash,
            configuration.feeAccountMeta
        );
        _setFee(configuration.fee);
    }

    function addToken(uint256 id, address token, uint256 unit, uint256 cap)
        external
        onlyRole(ADMIN)
    {
        if (id == 0 || id >= Law.TOKEN_UPPER_BOUND) revert TokenIdMustBeInRange(id);
        // One id a token: two could each count the same balance as theirs.
        if (_tokens[id].token != address(0) || _isListed[token]) revert TokenMustBeNew(id, token);
        if (token.code.length == 0) revert TokenMustBeContract(token);
        if (unit == 0 || unit >= UNIT_UPPER_BOUND) revert UnitMustBeInRange(unit);
        if (cap == 0 || cap >= AMOUNT_UPPER_BOUND) revert CapMustBeInRange(cap);

        _isListed[token] = true;
        _tokens[id].token = token;
        _tokens[id].unit = uint96(unit);
        _tokens[id].cap = uint64(cap);
        emit TokenAdded(id, token, unit, cap);
    }

    function setFee(uint256 fee_) external onlyRole(ADMIN) {
        _setFee(fee_);
    }

    function _setFee(uint256 fee_) private {
        if (fee_ >= FEE_UPPER_BOUND) revert FeeMustBeInRange(fee_);

        _counters.fee = uint40(fee_);
        emit FeeSet(fee_);
    }
}

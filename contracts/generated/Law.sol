// SPDX-License-Identifier: GPL-3.0-or-later
// Generated from circuits/params.ts and circuits/encodings.ts by `npm run generate`.
pragma solidity ^0.8.28;

library Law {
    uint256 internal constant FIELD_MODULUS = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
    uint256 internal constant TREE_DEPTH = 6;
    uint256 internal constant WINDOW_DEPTH = 2;
    uint256 internal constant WINDOW_COUNT = 2;
    uint256 internal constant FIRST_MEMBER_INDEX = 16;
    uint256 internal constant CASH_ID = 1;
    uint256 internal constant CIPHER_WORD_COUNT = 8;
    uint256 internal constant FEE_BITS = 40;
    uint256 internal constant AMOUNT_BITS = 55;
    uint256 internal constant TIME_BITS = 38;
    uint256 internal constant ACCOUNT_UPPER_BOUND = 262144;
    uint256 internal constant TOKEN_UPPER_BOUND = 1024;
    uint256 internal constant PAGE_LIFE_SECONDS = 65536;
    uint256 internal constant CALL_SECONDS = 79936;
    uint256 internal constant REQUEST_REGISTER = 1;
    uint256 internal constant REQUEST_ROTATE = 2;
    uint256 internal constant REQUEST_FORCED_EXIT = 3;
    uint256 internal constant MODE_NORMAL = 0;
    uint256 internal constant MODE_REDUCE_ONLY = 1;
    uint256 internal constant WORD_DOMAIN = 0;
    uint256 internal constant WORD_BATCH_NUMBER = 1;
    uint256 internal constant WORD_TIME = 2;
    uint256 internal constant WORD_MODE = 3;
    uint256 internal constant WORD_OLD_ROOT = 4;
    uint256 internal constant WORD_NEW_ROOT = 5;
    uint256 internal constant WORD_TABLE_NUMBER = 6;
    uint256 internal constant WORD_TABLE_ROOT = 7;
    uint256 internal constant WORD_CONFIRMED_TABLE_ROOT = 8;
    uint256 internal constant WORD_SETTLEMENT_ROOT = 9;
    uint256 internal constant WORD_FEE = 10;
    uint256 internal constant WORD_ACCOUNT_COUNT_BEFORE = 11;
    uint256 internal constant WORD_ACCOUNT_COUNT_AFTER = 12;
    uint256 internal constant WORD_BATCH_NONCE = 13;
    uint256 internal constant WORD_RESERVED0 = 14;
    uint256 internal constant WORD_RESERVED1 = 15;
    uint256 internal constant HEADER_WORDS = 16;
}

// An account in the sweep, and the flag that one may carry.
//
//  1. BalancesMustBeWellFormed
//  2. LeafMustBeInTree
//  3. MaintenanceMustHold
//  4. FlagMustNotBeOverdue
pragma circom 2.2.0;

include "account.circom";
include "lib/bits.circom";
include "lib/poseidon.circom";
include "generated/params.circom";

// Bits of a margin in fifths. A worth is below 2^107.2 in size at the mark (18 * 2^55 * 2^48) and below
// 2^108.2 in a world with its add-ons, so |mark + 4 * world| < 2^110.6. With the least lack that leaves
// no margin negative, five times it is below 2^110.6 as well: 2^111.6 in all. A greater lack, below
// 2^109, wraps nowhere and only fails the range.
function MARGIN_BITS() { return 112; }
function LACK_BITS() { return 109; }
// World 0, the mark, has no margin of its own: the variation world leaves out tokens, which no account
// owes, so that it is never above the mark.
function MARGIN_COUNT() { return WORLD_COUNT() - 1; }

// 0 <= in < 2^N with N constraints: the highest bit is what the others leave.
template AssertNarrow(N) {
    signal input in;
    signal bit[N - 1];
    var rest = in;
    for (var i = 0; i < N - 1; i++) {
        bit[i] <-- (in >> i) & 1;
        bit[i] * (bit[i] - 1) === 0;
        rest -= bit[i] * (1 << i);
    }
    rest * (rest - (1 << (N - 1))) === 0;
}

// One account: its leaf, and that its margins keep their width.
template SweptAccount() {
    signal input isEmpty;
    signal input ownerKeyHash;
    signal input viewKeyHash;
    signal input head;
    signal input meta;
    signal input salt;
    signal input id[SLOT_COUNT() - 1];
    signal input quantity[SLOT_COUNT()];
    signal input margin[MARGIN_COUNT()];
    signal output leaf;
    signal output size[SLOT_COUNT() - 1];

    // 1. BalancesMustBeWellFormed: the leaf's words are read in the one way that keeps all widths
    signal bit[SLOT_COUNT()][QUANTITY_BITS() - 1];
    component idRange[SLOT_COUNT() - 1];
    for (var i = 0; i < SLOT_COUNT(); i++) {
        var rest = quantity[i] + QUANTITY_OFFSET();
        for (var k = 0; k < QUANTITY_BITS() - 1; k++) {
            bit[i][k] <-- ((quantity[i] + QUANTITY_OFFSET()) >> k) & 1;
            bit[i][k] * (bit[i][k] - 1) === 0;
            rest -= bit[i][k] * (1 << k);
        }
        // What is left is 0 for a negative quantity, else 2^55.
        rest * (rest - QUANTITY_OFFSET()) === 0;
        if (i > 0) {
            size[i - 1] <== quantity[i] * ((2 * rest - QUANTITY_OFFSET()) * (1 / QUANTITY_OFFSET()));
            idRange[i - 1] = AssertNarrow(INSTRUMENT_BITS());
            idRange[i - 1].in <== id[i - 1];
        }
    }
    var word[BALANCE_WORD_COUNT()];
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        word[w] = 0;
        for (var k = 0; k < 3; k++) {
            var slot = 3 * w + k;
            var number = slot == 0 ? CASH_ID() : id[slot == 0 ? 0 : slot - 1];
            word[w] += (number + (quantity[slot] + QUANTITY_OFFSET()) * (1 << INSTRUMENT_BITS()))
                * (1 << (84 * k));
        }
    }
    // An empty leaf holds nothing: free numbers could be chosen to settle the sums of the others.
    var EMPTY = QUANTITY_OFFSET() * (1 << INSTRUMENT_BITS()) * (1 + (1 << 84) + (1 << 168));
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        isEmpty * (word[w] - EMPTY - (w == 0 ? CASH_ID() : 0)) === 0;
    }

    // 2. LeafMustBeInTree: the leaf that the tree is built from
    component hash = Leaf();
    hash.ownerKeyHash <== ownerKeyHash;
    hash.viewKeyHash <== viewKeyHash;
    hash.head <== head;
    hash.meta <== meta;
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        hash.word[w] <== word[w];
    }
    hash.salt <== salt;
    leaf <== (1 - isEmpty) * hash.out;

    // 3. MaintenanceMustHold: no margin is negative, what a flagged account lacks added
    component range[MARGIN_COUNT()];
    for (var s = 0; s < MARGIN_COUNT(); s++) {
        range[s] = AssertNarrow(MARGIN_BITS());
        range[s].in <== margin[s];
    }
}

// One of the ACCOUNTS, or none, is called or in liquidation, and lacks something.
template Flag(ACCOUNTS) {
    signal input time;
    signal input callDelay;
    signal input choice[ACCOUNTS];
    signal input lack;
    signal input since;
    signal input isCalled;
    signal input liquidationStep;
    signal input meta[ACCOUNTS];
    signal output isUsed;
    signal output share[ACCOUNTS];

    // 4. FlagMustNotBeOverdue: the account's own meta says CALLED, and not for long, or LIQUIDATING
    component flag[ACCOUNTS];
    signal metaShare[ACCOUNTS];
    var used = 0;
    var found = 0;
    for (var a = 0; a < ACCOUNTS; a++) {
        flag[a] = AssertBoolean();
        flag[a].in <== choice[a];
        metaShare[a] <== choice[a] * meta[a];
        share[a] <== choice[a] * lack;
        used += choice[a];
        found += metaShare[a];
    }
    isUsed <== used;
    isUsed * (isUsed - 1) === 0;
    component called = AssertBoolean();
    called.in <== isCalled;
    component sinceRange = AssertNarrow(TIME_BITS());
    sinceRange.in <== since;
    component stepRange = AssertNarrow(3);
    stepRange.in <== liquidationStep;
    var status = LIQUIDATING() + isCalled * (CALLED() - LIQUIDATING());
    isUsed * (status + since * 8 + liquidationStep * (1 << (3 + TIME_BITS()))) === found;
    component left = AssertNarrow(TIME_BITS());
    left.in <== isCalled * (since + callDelay - time);
    component lackRange = AssertNarrow(LACK_BITS());
    lackRange.in <== lack;
    (1 - isUsed) * lack === 0;
}

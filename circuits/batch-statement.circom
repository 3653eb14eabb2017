// The statement of a batch: all that a challenge ranges over, public or not, is fixed by C.
pragma circom 2.2.0;

include "lib/bits.circom";
include "records.circom";
include "statement.circom";
include "generated/params.circom";

// All COUNT flags that a challenge ranges over, 250 to a word; that they are booleans is proven where
// they are used.
template FlagWords(COUNT, PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS, RESCUES,
    REDUCTIONS) {
    input Slots(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS, RESCUES, REDUCTIONS) slots;
    input AccountFacts() account[MEMBERS];
    signal output word[(COUNT + 249) \ 250];

    component pack = PackBits(COUNT);
    var f = 0;
    for (var i = 0; i < PAGES; i++) {
        pack.in[f] <== slots.page[i].isLive;
        pack.in[f + 1] <== slots.page[i].isSkipped;
        f += 2;
    }
    for (var n = 0; n < NODES; n++) {
        for (var i = 0; i < NODE_POSITION_BITS(); i++) {
            pack.in[f] <== slots.opening.nodePosition[n][i];
            f++;
        }
    }
    for (var r = 0; r < ROWS; r++) {
        pack.in[f] <== slots.row[r].isUsed;
        for (var i = 0; i < 3; i++) { pack.in[f + 1 + i] <== slots.row[r].place[i]; }
        f += 4;
    }
    for (var v = 0; v < WINDOW_COUNT(); v++) {
        for (var i = 0; i < 3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH()); i++) {
            pack.in[f] <== slots.opening.windowBit[v][i];
            f++;
        }
    }
    for (var a = 0; a < MEMBERS; a++) {
        for (var d = 0; d < DEPOSITS; d++) { pack.in[f + d] <== slots.deposit[d].choice[a]; }
        f += DEPOSITS;
        for (var w = 0; w < WITHDRAWALS; w++) { pack.in[f + w] <== slots.withdrawal[w].choice[a]; }
        f += WITHDRAWALS;
        for (var i = 0; i < SLOT_COUNT() - 1; i++) {
            pack.in[f + i] <== slots.claim[a].isConverted[i];
            pack.in[f + SLOT_COUNT() - 1 + i] <== slots.claim[a].isReduced[i];
        }
        f += 2 * (SLOT_COUNT() - 1);
        for (var i = 0; i < LIVE_COUNT_BITS(); i++) { pack.in[f + i] <== account[a].liveCountBit[i]; }
        f += LIVE_COUNT_BITS();
        pack.in[f] <== slots.account[a].isSigned;
        for (var k = 0; k < ROTATIONS; k++) { pack.in[f + 1 + k] <== slots.rotation[k].choice[a]; }
        f += 1 + ROTATIONS;
    }
    for (var k = 0; k < RESCUES; k++) {
        for (var a = 0; a < MEMBERS; a++) { pack.in[f + a] <== slots.rescue[k].choice[a]; }
        f += MEMBERS;
        for (var s = 0; s < WORLD_COUNT(); s++) { pack.in[f + s] <== slots.rescue[k].isWorse[s]; }
        f += WORLD_COUNT();
    }
    for (var t = 0; t < REDUCTIONS; t++) {
        for (var a = 0; a < MEMBERS; a++) { pack.in[f + a] <== slots.reduction[t].choice[a]; }
        f += MEMBERS;
    }
    assert(f == COUNT);
    word <== pack.out;
}

// Words in the order of circuits/words.ts, then the private values in that of circuits/witness.ts.
template BatchStatement(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, REQUESTS, ROTATIONS, RESCUES,
    REDUCTIONS) {
    signal input C;
    signal input x;
    signal input y;
    signal input salt;
    input Words(MEMBERS, DEPOSITS, REQUESTS, WITHDRAWALS) words;
    input Slots(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS, RESCUES, REDUCTIONS) slots;
    input Facts(PAGES, MEMBERS, ROWS, DEPOSITS, WITHDRAWALS, ROTATIONS, REDUCTIONS) facts;

    var ACCOUNT_WORDS = 2 + CIPHER_WORD_COUNT();
    var WORDS = HEADER_WORD_COUNT() + 4 * DEPOSITS + 6 * REQUESTS + 3 * WITHDRAWALS
        + ACCOUNT_WORDS * (MEMBERS + 1);
    var FLAGS_OF_MEMBER = DEPOSITS + WITHDRAWALS + 2 * (SLOT_COUNT() - 1) + LIVE_COUNT_BITS() + 1
        + ROTATIONS;
    var FLAGS = 2 * PAGES + NODES * NODE_POSITION_BITS() + ROWS * 4
        + WINDOW_COUNT() * 3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH()) + MEMBERS * FLAGS_OF_MEMBER
        + RESCUES * (MEMBERS + WORLD_COUNT()) + REDUCTIONS * MEMBERS;
    var FLAG_WORDS = (FLAGS + 249) \ 250;
    var PAIRS = WORLD_COUNT() \ 2;
    var BOUND = PAGES + WITHDRAWALS + FLAG_WORDS + MEMBERS * (PAIRS + 1) + RESCUES * WORLD_COUNT()
        + REDUCTIONS;

    component statement = Statement(WORDS, BOUND);
    statement.C <== C;
    statement.x <== x;
    statement.y <== y;
    statement.salt <== salt;
    var header[16] = [
        words.header.domain, words.header.batchNumber, words.header.time, words.header.mode,
        words.header.oldRoot, words.header.newRoot,
        words.header.tableNumber, words.header.tableRoot, words.header.confirmedTableRoot,
        words.header.settlementRoot, words.header.fee,
        words.header.accountCountBefore, words.header.accountCountAfter,
        words.header.batchNonce, words.header.reserved0, words.header.reserved1
    ];
    var n = 0;
    for (var i = 0; i < HEADER_WORD_COUNT(); i++) { statement.word[n] <== header[i]; n++; }
    for (var d = 0; d < DEPOSITS; d++) {
        statement.word[n] <== words.deposit[d].id;
        statement.word[n + 1] <== words.deposit[d].commitment;
        statement.word[n + 2] <== words.deposit[d].token;
        statement.word[n + 3] <== words.deposit[d].amount;
        n += 4;
    }
    for (var q = 0; q < REQUESTS; q++) {
        statement.word[n] <== words.request[q].kindAndSerial;
        statement.word[n + 1] <== words.request[q].account;
        for (var i = 0; i < 4; i++) { statement.word[n + 2 + i] <== words.request[q].data[i]; }
        n += 6;
    }
    for (var w = 0; w < WITHDRAWALS; w++) {
        statement.word[n] <== words.withdrawal[w].token;
        statement.word[n + 1] <== words.withdrawal[w].amount;
        statement.word[n + 2] <== words.withdrawal[w].to;
        n += 3;
    }
    statement.word[n] <== words.feeAccount.index;
    statement.word[n + 1] <== words.feeAccount.leaf;
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        statement.word[n + 2 + i] <== words.feeAccount.cipher[i];
    }
    n += ACCOUNT_WORDS;
    for (var a = 0; a < MEMBERS; a++) {
        statement.word[n] <== words.account[a].index;
        statement.word[n + 1] <== words.account[a].leaf;
        for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
            statement.word[n + 2 + i] <== words.account[a].cipher[i];
        }
        n += ACCOUNT_WORDS;
    }
    assert(n == WORDS);

    component flags = FlagWords(FLAGS, PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS,
        RESCUES, REDUCTIONS);
    flags.slots <== slots;
    flags.account <== facts.account;
    n = 0;
    for (var i = 0; i < PAGES; i++) { statement.bound[n] <== facts.page[i].head; n++; }
    for (var w = 0; w < WITHDRAWALS; w++) { statement.bound[n] <== slots.withdrawal[w].stamp; n++; }
    for (var i = 0; i < FLAG_WORDS; i++) { statement.bound[n] <== flags.word[i]; n++; }
    for (var a = 0; a < MEMBERS; a++) {
        for (var i = 0; i < PAIRS; i++) {
            statement.bound[n] <== slots.claim[a].difference[2 * i]
                + slots.claim[a].difference[2 * i + 1] * (1 << WORLD_BITS());
            n++;
        }
        statement.bound[n] <== slots.claim[a].conversionCash;
        n++;
    }
    for (var k = 0; k < RESCUES; k++) {
        for (var s = 0; s < WORLD_COUNT(); s++) {
            statement.bound[n] <== slots.rescue[k].oldWorth[s];
            n++;
        }
    }
    for (var t = 0; t < REDUCTIONS; t++) { statement.bound[n] <== facts.reduction[t].word; n++; }
    assert(n == BOUND);
}

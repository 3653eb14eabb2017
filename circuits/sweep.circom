// The sweep: every account of a stretch of indices is solvent at maintenance, or flagged in time.
//
//  1. CommitmentMustMatch
//  2. WordsMustMatchChallenge
//  3. LeafMustBeInTree
//  4. FlagMustNotBeOverdue
//
// Its other rules are those of its parts: swept-account.circom, sweep-parts.circom, row.circom.
pragma circom 2.2.0;

include "sweep-parts.circom";
include "swept-account.circom";
include "lib/bits.circom";
include "lib/poseidon.circom";
include "generated/params.circom";

// ACCOUNTS = PARTS * 8^LEVELS indices from `first` on, of which FLAGS may be flagged; PARTS is 1, 2
// or 4. They hold at most ROWS instruments together.
template Sweep(LEVELS, PARTS, ROWS, FLAGS) {
    var ACCOUNTS = PARTS * 8 ** LEVELS;
    signal input C;
    signal input x;
    signal input y;
    signal input commitmentSalt;

    // root, tableRoot, settlementRoot, first, time, callDelay, flagged, shortfall
    signal input word[8];

    signal input isEmpty[ACCOUNTS];
    signal input ownerKeyHash[ACCOUNTS];
    signal input viewKeyHash[ACCOUNTS];
    signal input head[ACCOUNTS];
    signal input meta[ACCOUNTS];
    signal input salt[ACCOUNTS];
    signal input id[ACCOUNTS][SLOT_COUNT() - 1];
    signal input quantity[ACCOUNTS][SLOT_COUNT()];
    signal input margin[ACCOUNTS][MARGIN_COUNT()];
    signal input choice[FLAGS][ACCOUNTS];
    signal input lack[FLAGS];
    signal input since[FLAGS];
    signal input isCalled[FLAGS];
    signal input liquidationStep[FLAGS];
    signal input child[TREE_DEPTH() - LEVELS][8];

    input Opening(ROWS) opening;
    input RowSlot() row[ROWS];
    signal input rowQuantity[ROWS];
    signal input rowSize[ROWS];

    component account[ACCOUNTS];
    component empty[ACCOUNTS];
    for (var a = 0; a < ACCOUNTS; a++) {
        empty[a] = AssertBoolean();
        empty[a].in <== isEmpty[a];
        account[a] = SweptAccount();
        account[a].isEmpty <== isEmpty[a];
        account[a].ownerKeyHash <== ownerKeyHash[a];
        account[a].viewKeyHash <== viewKeyHash[a];
        account[a].head <== head[a];
        account[a].meta <== meta[a];
        account[a].salt <== salt[a];
        account[a].id <== id[a];
        account[a].quantity <== quantity[a];
        account[a].margin <== margin[a];
    }

    // 3. LeafMustBeInTree: all leaves from `first` on, none left out, under the root that L1 says
    component tree = SweptTree(LEVELS, PARTS);
    tree.first <== word[3];
    for (var a = 0; a < ACCOUNTS; a++) {
        tree.leaf[a] <== account[a].leaf;
    }
    tree.child <== child;
    tree.root === word[0];

    component rows = Rows(ROWS, 1);
    rows.tableRoot <== word[1];
    rows.settlementRoot <== word[2];
    rows.opening <== opening;
    rows.slot <== row;

    // 4. FlagMustNotBeOverdue: flags are counted, what they lack is summed, and one account has one
    component flag[FLAGS];
    var flagged = 0;
    var shortfall = 0;
    var lacks[ACCOUNTS];
    for (var a = 0; a < ACCOUNTS; a++) {
        lacks[a] = 0;
    }
    for (var k = 0; k < FLAGS; k++) {
        flag[k] = Flag(ACCOUNTS);
        flag[k].time <== word[4];
        flag[k].callDelay <== word[5];
        flag[k].choice <== choice[k];
        flag[k].lack <== lack[k];
        flag[k].since <== since[k];
        flag[k].isCalled <== isCalled[k];
        flag[k].liquidationStep <== liquidationStep[k];
        flag[k].meta <== meta;
        flagged += flag[k].isUsed;
        shortfall += lack[k];
        for (var a = 0; a < ACCOUNTS; a++) {
            lacks[a] += flag[k].share[a];
        }
    }
    signal isFlagged[ACCOUNTS];
    for (var a = 0; a < ACCOUNTS; a++) {
        var count = 0;
        for (var k = 0; k < FLAGS; k++) {
            count += choice[k][a];
        }
        isFlagged[a] <== count;
        isFlagged[a] * (isFlagged[a] - 1) === 0;
    }
    flagged === word[6];
    shortfall === word[7];

    // 1. CommitmentMustMatch: all that a challenge ranges over is fixed by C or by the root
    var windowBits = 3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH());
    var flagBits = ROWS * (4 + NODE_POSITION_BITS()) + WINDOW_COUNT() * windowBits + FLAGS * ACCOUNTS;
    var flagWords = (flagBits + 249) \ 250;
    component flags = PackBits(flagBits);
    var f = 0;
    for (var r = 0; r < ROWS; r++) {
        flags.in[f] <== row[r].isUsed;
        for (var i = 0; i < NODE_POSITION_BITS(); i++) {
            flags.in[f + 1 + i] <== opening.nodePosition[r][i];
        }
        f += 1 + NODE_POSITION_BITS();
        for (var i = 0; i < 3; i++) {
            flags.in[f + i] <== row[r].place[i];
        }
        f += 3;
    }
    for (var v = 0; v < WINDOW_COUNT(); v++) {
        for (var i = 0; i < windowBits; i++) {
            flags.in[f + i] <== opening.windowBit[v][i];
        }
        f += windowBits;
    }
    for (var k = 0; k < FLAGS; k++) {
        for (var a = 0; a < ACCOUNTS; a++) {
            flags.in[f + a] <== choice[k][a];
        }
        f += ACCOUNTS;
    }
    var pairs = (MARGIN_COUNT() + 1) \ 2;
    component commitment = Hash(TAG_COMMITMENT(), 1 + 8 + flagWords + FLAGS + ACCOUNTS * pairs);
    commitment.in[0] <== commitmentSalt;
    for (var i = 0; i < 8; i++) {
        commitment.in[1 + i] <== word[i];
    }
    var n = 9;
    for (var i = 0; i < flagWords; i++) { commitment.in[n] <== flags.out[i]; n++; }
    for (var k = 0; k < FLAGS; k++) { commitment.in[n] <== lack[k]; n++; }
    for (var a = 0; a < ACCOUNTS; a++) {
        for (var i = 0; i < pairs; i++) {
            commitment.in[n] <== margin[a][2 * i]
                + (2 * i + 1 < MARGIN_COUNT() ? margin[a][2 * i + 1 < MARGIN_COUNT() ? 2 * i + 1 : 0] : 0)
                * (1 << MARGIN_BITS());
            n++;
        }
    }
    commitment.out === C;

    // 2. WordsMustMatchChallenge: y is the polynomial of the words at x
    signal partial[8];
    partial[7] <== word[7];
    for (var i = 6; i >= 0; i--) {
        partial[i] <== partial[i + 1] * x + word[i];
    }
    partial[0] === y;

    component draw = Permute(16, 17);
    draw.capacity <== TAG_CHALLENGE();
    draw.in[0] <== x;
    for (var i = 1; i < 16; i++) {
        draw.in[i] <== 0;
    }
    component fixRows = Hash(TAG_SECOND_CHALLENGE(), 1 + 2 * ROWS);
    fixRows.in[0] <== x;
    for (var r = 0; r < ROWS; r++) {
        fixRows.in[1 + r] <== rowQuantity[r];
        fixRows.in[1 + ROWS + r] <== rowSize[r];
    }
    component drawSecond = Permute(2, 3);
    drawSecond.capacity <== TAG_CHALLENGE();
    drawSecond.in <== [fixRows.out, 1];

    component sums = AssertSweepSums(ACCOUNTS, ROWS);
    sums.challenge <== draw.out;
    sums.second <== drawSecond.out;
    sums.id <== id;
    sums.quantity <== quantity;
    for (var a = 0; a < ACCOUNTS; a++) {
        sums.size[a] <== account[a].size;
        sums.lack[a] <== lacks[a];
    }
    sums.margin <== margin;
    sums.row <== row;
    for (var r = 0; r < ROWS; r++) {
        sums.rowIsToken[r] <== rows.fact[r].isToken;
    }
    sums.rowQuantity <== rowQuantity;
    sums.rowSize <== rowSize;
}

// The sweep: every account of a stretch of indices is solvent at maintenance, or flagged in time.
//
//  1. CommitmentMustMatch
//  2. WordsMustMatchChallenge
//  3. LeafMustBeInTree
//  4. BalancesMustBeWellFormed
//  5. RowMustBeInTable
//  6. MaintenanceMustHold
//  7. FlagMustNotBeOverdue
//  8. InstrumentMustBeListed
//  9. WorthMustFollowTable
pragma circom 2.2.0;

include "account.circom";
include "row.circom";
include "lib/bits.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";
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

    // 4. BalancesMustBeWellFormed: the leaf's words are read in the one way that keeps all widths
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

    // 3. LeafMustBeInTree: the leaf that the tree is built from
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

    // 6. MaintenanceMustHold: no margin is negative, what a flagged account lacks added
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

    // 7. FlagMustNotBeOverdue: the account's own meta says CALLED, and not for long, or LIQUIDATING
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

    signal input marksRoot;
    signal input tableFlags;
    signal input rowIsUsed[ROWS];
    signal input rowPosition[ROWS][POSITION_BITS()];
    signal input rowId[ROWS];
    signal input rowStatus[ROWS];
    signal input rowAddOn[ROWS];
    signal input rowValue[ROWS][ROW_VALUE_COUNT()];
    signal input rowSibling[ROWS][8];
    signal input tableNode[TABLE_NODE_COUNT()];
    signal input settledNode[WINDOW_COUNT()][8];
    signal input windowBit[WINDOW_COUNT()][3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH())];
    signal input windowChild[WINDOW_COUNT()][SETTLEMENT_DEPTH() - WINDOW_DEPTH()][8];
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
    var nodes = ACCOUNTS;
    var last = 0;
    for (var l = 0; l < LEVELS; l++) {
        nodes = nodes \ 8;
        last += nodes;
    }
    component inner[last];
    var used = 0;
    var below = 0;
    nodes = ACCOUNTS;
    for (var l = 0; l < LEVELS; l++) {
        nodes = nodes \ 8;
        for (var i = 0; i < nodes; i++) {
            inner[used + i] = Hash(TAG_NODE(), 8);
            for (var k = 0; k < 8; k++) {
                inner[used + i].in[k] <== l == 0 ? account[8 * i + k < ACCOUNTS ? 8 * i + k : 0].leaf
                    : inner[l == 0 ? 0 : below + 8 * i + k].out;
            }
        }
        below = used;
        used += nodes;
    }
    var partBits = PARTS == 1 ? 0 : (PARTS == 2 ? 1 : 2);
    var placeBits = INDEX_BITS() - 3 * LEVELS - partBits;
    component place = Bits(placeBits);
    place.in <== word[3] * (1 / ACCOUNTS);
    component at[PARTS];
    signal picked[PARTS][8];
    component up[TREE_DEPTH() - LEVELS];
    for (var p = 0; p < PARTS; p++) {
        at[p] = OneHot8();
        for (var i = 0; i < 3; i++) {
            at[p].bit[i] <== i < partBits ? (p >> i) & 1 : place.out[i < partBits ? 0 : i - partBits];
        }
        var found = 0;
        for (var i = 0; i < 8; i++) {
            picked[p][i] <== at[p].out[i] * child[0][i];
            found += picked[p][i];
        }
        found === inner[last - PARTS + p].out;
    }
    component lowest = Hash(TAG_NODE(), 8);
    lowest.in <== child[0];
    for (var l = 1; l < TREE_DEPTH() - LEVELS; l++) {
        up[l] = ReadUp();
        for (var i = 0; i < 3; i++) {
            up[l].bit[i] <== place.out[3 * l - partBits + i];
        }
        up[l].child <== child[l];
        up[l].node <== l == 1 ? lowest.out : up[l == 1 ? 1 : l - 1].parent;
    }
    up[TREE_DEPTH() - LEVELS - 1].parent === word[0];

    // 5. RowMustBeInTable: the nodes that rows are read from are those of the table and the register
    component worldsRoot = TableRoot();
    worldsRoot.node <== tableNode;
    component tableRoot = Hash(TAG_TABLE(), 3);
    tableRoot.in <== [marksRoot, worldsRoot.out, tableFlags];
    tableRoot.out === word[1];
    var above = SETTLEMENT_DEPTH() - WINDOW_DEPTH();
    component window[WINDOW_COUNT()];
    component windowStep[WINDOW_COUNT()][above];
    component windowFlag[WINDOW_COUNT()][3 * above];
    for (var v = 0; v < WINDOW_COUNT(); v++) {
        window[v] = Hash(TAG_NODE(), 8);
        window[v].in <== settledNode[v];
        for (var l = 0; l < above; l++) {
            windowStep[v][l] = ReadUp();
            for (var i = 0; i < 3; i++) {
                windowFlag[v][3 * l + i] = AssertBoolean();
                windowFlag[v][3 * l + i].in <== windowBit[v][3 * l + i];
                windowStep[v][l].bit[i] <== windowBit[v][3 * l + i];
            }
            windowStep[v][l].child <== windowChild[v][l];
            windowStep[v][l].node <== l == 0 ? window[v].out : windowStep[v][l == 0 ? 0 : l - 1].parent;
        }
        windowStep[v][above - 1].parent === word[2];
    }
    component row[ROWS];
    for (var r = 0; r < ROWS; r++) {
        row[r] = Row();
        row[r].isUsed <== rowIsUsed[r];
        row[r].position <== rowPosition[r];
        row[r].id <== rowId[r];
        row[r].status <== rowStatus[r];
        row[r].addOn <== rowAddOn[r];
        row[r].value <== rowValue[r];
        row[r].sibling <== rowSibling[r];
        row[r].tableNode <== tableNode;
        row[r].settledNode <== settledNode;
    }
    component rowsAscend = AssertRowsAscend(ROWS);
    rowsAscend.isUsed <== rowIsUsed;
    rowsAscend.id <== rowId;

    // 7. FlagMustNotBeOverdue: flags are counted, what they lack is summed, and one account has one
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
    var windowBits = 3 * above;
    var flagBits = ROWS * (1 + POSITION_BITS()) + WINDOW_COUNT() * windowBits + FLAGS * ACCOUNTS;
    var flagWords = (flagBits + 249) \ 250;
    component flags = PackBits(flagBits);
    var f = 0;
    for (var r = 0; r < ROWS; r++) {
        flags.in[f] <== rowIsUsed[r];
        for (var i = 0; i < POSITION_BITS(); i++) {
            flags.in[f + 1 + i] <== rowPosition[r][i];
        }
        f += 1 + POSITION_BITS();
    }
    for (var v = 0; v < WINDOW_COUNT(); v++) {
        for (var i = 0; i < windowBits; i++) {
            flags.in[f + i] <== windowBit[v][i];
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

    // worldWeight[s] weighs margin s, which is that of world s + 1.
    signal worldWeight[MARGIN_COUNT()];
    worldWeight[0] <== draw.out[CH_WORLD_WEIGHT()];
    var weights = worldWeight[0];
    var stress = worldWeight[0];
    for (var s = 1; s < MARGIN_COUNT(); s++) {
        worldWeight[s] <== worldWeight[s - 1] * draw.out[CH_WORLD_WEIGHT()];
        weights += worldWeight[s];
        stress += s < MARGIN_COUNT() - 1 ? worldWeight[s] : 0;
    }
    signal accountWeight[ACCOUNTS];
    accountWeight[0] <== draw.out[CH_ACCOUNT_WEIGHT()];
    for (var a = 1; a < ACCOUNTS; a++) {
        accountWeight[a] <== accountWeight[a - 1] * draw.out[CH_ACCOUNT_WEIGHT()];
    }

    var lookup = 0;
    var worth = 0;
    signal sizePart[ACCOUNTS][SLOT_COUNT() - 1];
    signal lookupTerm[ACCOUNTS][SLOT_COUNT() - 1];
    signal lookupShare[ACCOUNTS];
    signal weighted[ACCOUNTS][MARGIN_COUNT()];
    signal own[ACCOUNTS];
    signal worthShare[ACCOUNTS];
    for (var a = 0; a < ACCOUNTS; a++) {
        var lookups = 0;
        for (var i = 0; i < SLOT_COUNT() - 1; i++) {
            sizePart[a][i] <== drawSecond.out[1] * account[a].size[i];
            lookupTerm[a][i] <-- (quantity[a][i + 1] + sizePart[a][i]) / (drawSecond.out[0] - id[a][i]);
            lookupTerm[a][i] * (drawSecond.out[0] - id[a][i]) === quantity[a][i + 1] + sizePart[a][i];
            lookups += lookupTerm[a][i];
        }
        lookupShare[a] <== accountWeight[a] * lookups;
        lookup += lookupShare[a];
        // The margins less what is lacking and less the cash, which counts one in every world: what
        // the rows must account for, in fifths.
        var margins = 0;
        for (var s = 0; s < MARGIN_COUNT(); s++) {
            weighted[a][s] <== worldWeight[s] * margin[a][s];
            margins += weighted[a][s];
        }
        own[a] <== 5 * weights * (lacks[a] + quantity[a][0]);
        worthShare[a] <== accountWeight[a] * (margins - own[a]);
        worth += worthShare[a];
    }
    signal rowSizePart[ROWS];
    signal rowLookup[ROWS];
    signal variation[ROWS];
    signal rowWeighted[ROWS][MARGIN_COUNT()];
    signal usedWorth[ROWS];
    signal usedCharge[ROWS];
    signal charge[ROWS];
    signal worthQuantity[ROWS];
    signal worthSize[ROWS];
    for (var r = 0; r < ROWS; r++) {
        rowSizePart[r] <== drawSecond.out[1] * rowSize[r];
        rowLookup[r] <-- (rowQuantity[r] + rowSizePart[r]) / (drawSecond.out[0] - rowId[r]);
        rowLookup[r] * (drawSecond.out[0] - rowId[r]) === rowQuantity[r] + rowSizePart[r];
        lookup -= rowLookup[r];
        // Maintenance is four fifths of the way from the mark to the world: mark + 4 * world in
        // fifths. The variation world is not scaled, and counts a token as nothing.
        variation[r] <== rowValue[r][0] * (1 - row[r].isToken);
        var sum = 0;
        for (var s = 0; s < MARGIN_COUNT(); s++) {
            rowWeighted[r][s] <== worldWeight[s] * (s == MARGIN_COUNT() - 1 ? 5 * variation[r]
                : rowValue[r][0] + 4 * rowValue[r][s == MARGIN_COUNT() - 1 ? 0 : s + 1]);
            sum += rowWeighted[r][s];
        }
        usedWorth[r] <== rowIsUsed[r] * sum;
        usedCharge[r] <== rowIsUsed[r] * rowAddOn[r];
        charge[r] <== usedCharge[r] * 4 * stress;
        worthQuantity[r] <== usedWorth[r] * rowQuantity[r];
        worthSize[r] <== charge[r] * rowSize[r];
        worth -= worthQuantity[r] - worthSize[r];
    }

    // 8. InstrumentMustBeListed: every balance stands in a row
    lookup === 0;
    // 9. WorthMustFollowTable: the margins are balances times values
    worth === 0;
}

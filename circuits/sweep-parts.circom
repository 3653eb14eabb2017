// The parts of a sweep: the tree over its leaves, its sums at the challenges.
//
//  1. LeafMustBeInTree
//  2. InstrumentMustBeListed
//  3. WorthMustFollowTable
pragma circom 2.2.0;

include "row.circom";
include "swept-account.circom";
include "lib/bits.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";
include "generated/params.circom";

// The root over the leaves from `first` on, a multiple of their number.
template SweptTree(LEVELS, PARTS) {
    var ACCOUNTS = PARTS * 8 ** LEVELS;
    signal input first;
    signal input leaf[ACCOUNTS];
    signal input child[TREE_DEPTH() - LEVELS][8];
    signal output root;

    // 1. LeafMustBeInTree: all leaves from `first` on, none left out, under the root that L1 says
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
                inner[used + i].in[k] <== l == 0 ? leaf[8 * i + k < ACCOUNTS ? 8 * i + k : 0]
                    : inner[l == 0 ? 0 : below + 8 * i + k].out;
            }
        }
        below = used;
        used += nodes;
    }
    var partBits = PARTS == 1 ? 0 : (PARTS == 2 ? 1 : 2);
    var placeBits = INDEX_BITS() - 3 * LEVELS - partBits;
    component place = Bits(placeBits);
    place.in <== first * (1 / ACCOUNTS);
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
    root <== up[TREE_DEPTH() - LEVELS - 1].parent;
}

// The two sums at the challenges.
template AssertSweepSums(ACCOUNTS, ROWS) {
    signal input challenge[17];
    signal input second[3];
    signal input id[ACCOUNTS][SLOT_COUNT() - 1];
    signal input quantity[ACCOUNTS][SLOT_COUNT()];
    signal input size[ACCOUNTS][SLOT_COUNT() - 1];
    signal input margin[ACCOUNTS][MARGIN_COUNT()];
    signal input lack[ACCOUNTS];
    input RowSlot() row[ROWS];
    signal input rowIsToken[ROWS];
    signal input rowQuantity[ROWS];
    signal input rowSize[ROWS];

    // worldWeight[s] weighs margin s, which is that of world s + 1.
    signal worldWeight[MARGIN_COUNT()];
    worldWeight[0] <== challenge[CH_WORLD_WEIGHT()];
    var weights = worldWeight[0];
    var stress = worldWeight[0];
    for (var s = 1; s < MARGIN_COUNT(); s++) {
        worldWeight[s] <== worldWeight[s - 1] * challenge[CH_WORLD_WEIGHT()];
        weights += worldWeight[s];
        stress += s < MARGIN_COUNT() - 1 ? worldWeight[s] : 0;
    }
    signal accountWeight[ACCOUNTS];
    accountWeight[0] <== challenge[CH_ACCOUNT_WEIGHT()];
    for (var a = 1; a < ACCOUNTS; a++) {
        accountWeight[a] <== accountWeight[a - 1] * challenge[CH_ACCOUNT_WEIGHT()];
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
            sizePart[a][i] <== second[1] * size[a][i];
            lookupTerm[a][i] <-- (quantity[a][i + 1] + sizePart[a][i]) / (second[0] - id[a][i]);
            lookupTerm[a][i] * (second[0] - id[a][i]) === quantity[a][i + 1] + sizePart[a][i];
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
        own[a] <== 5 * weights * (lack[a] + quantity[a][0]);
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
        rowSizePart[r] <== second[1] * rowSize[r];
        rowLookup[r] <-- (rowQuantity[r] + rowSizePart[r]) / (second[0] - row[r].id);
        rowLookup[r] * (second[0] - row[r].id) === rowQuantity[r] + rowSizePart[r];
        lookup -= rowLookup[r];
        // Maintenance is four fifths of the way from the mark to the world: mark + 4 * world in
        // fifths. The variation world is not scaled, and counts a token as nothing.
        variation[r] <== row[r].value[0] * (1 - rowIsToken[r]);
        var sum = 0;
        for (var s = 0; s < MARGIN_COUNT(); s++) {
            rowWeighted[r][s] <== worldWeight[s] * (s == MARGIN_COUNT() - 1 ? 5 * variation[r]
                : row[r].value[0] + 4 * row[r].value[s == MARGIN_COUNT() - 1 ? 0 : s + 1]);
            sum += rowWeighted[r][s];
        }
        usedWorth[r] <== row[r].isUsed * sum;
        usedCharge[r] <== row[r].isUsed * row[r].addOn;
        charge[r] <== usedCharge[r] * 4 * stress;
        worthQuantity[r] <== usedWorth[r] * rowQuantity[r];
        worthSize[r] <== charge[r] * rowSize[r];
        worth -= worthQuantity[r] - worthSize[r];
    }

    // 2. InstrumentMustBeListed: every balance stands in a row
    lookup === 0;
    // 3. WorthMustFollowTable: the margins are balances times values
    worth === 0;
}

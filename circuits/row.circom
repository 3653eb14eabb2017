// A row of the table of values, or an entry of the settlement register in the same form.
//
//  1. RowMustBeInTable
//  2. RowsMustAscend
//  3. TokenMustNotBeNegative
//  4. SettledBalanceMustBeConverted
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";
include "records.circom";
include "generated/params.circom";

// A node of eight rows, opened once for the rows that are read from it.
// position: 3 bits of node in its group, 2 bits of group (of four in the table, of two windows in the
// register), 1 bit: table (0) or register (1).
template RowNode() {
    signal input position[NODE_POSITION_BITS()];
    signal input child[8];
    signal input tableNode[TABLE_NODE_COUNT()];
    signal input settledNode[WINDOW_COUNT()][8];

    // 1. RowMustBeInTable: the node stands at its position under the worlds root or the register
    component flag[NODE_POSITION_BITS()];
    for (var i = 0; i < NODE_POSITION_BITS(); i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== position[i];
    }
    var isSettled = position[NODE_POSITION_BITS() - 1];
    component node = Hash(TAG_NODE(), 8);
    node.in <== child;
    component low = OneHot8();
    low.bit <== [position[0], position[1], position[2]];
    // Six groups of eight nodes: four of the table, then the two windows of the register.
    signal both <== position[3] * position[4];
    var group[4] = [1 - position[3] - position[4] + both, position[3] - both, position[4] - both, both];
    isSettled * position[4] === 0;
    signal picked[6][8];
    signal share[6];
    signal isGroup[6];
    var found = 0;
    for (var g = 0; g < 6; g++) {
        var inGroup = 0;
        for (var i = 0; i < 8; i++) {
            picked[g][i] <== low.out[i] * (g < 4 ? tableNode[g < 4 ? 8 * g + i : 0] : settledNode[g < 4 ? 0 : g - 4][i]);
            inGroup += picked[g][i];
        }
        isGroup[g] <== group[g < 4 ? g : g - 4] * (g < 4 ? 1 - isSettled : isSettled);
        share[g] <== isGroup[g] * inGroup;
        found += share[g];
    }
    node.out === found;
}

// isInRegister: whether the row's node is one of the register.
template Row() {
    input RowSlot() slot;
    signal input isInRegister;
    signal input child[8];
    output RowFacts() fact;

    // 1. RowMustBeInTable: the row stands at its place in the node
    component idBits = Bits(INSTRUMENT_BITS());
    idBits.in <== slot.id;
    component statusBits = AssertInRange(ROW_STATUS_BITS());
    statusBits.in <== slot.status;
    component addOnBits = AssertInRange(ADD_ON_BITS());
    addOnBits.in <== slot.addOn;
    component used = AssertBoolean();
    used.in <== slot.isUsed;
    component flag[3];
    for (var i = 0; i < 3; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== slot.place[i];
    }
    component hash = HashTagged(1 + ROW_VALUE_COUNT());
    hash.tag <== TAG_ROW() + isInRegister * (TAG_SETTLED() - TAG_ROW());
    hash.in[0] <== slot.id + slot.status * (1 << 28) + slot.addOn * (1 << 32);
    for (var s = 0; s < ROW_VALUE_COUNT(); s++) {
        hash.in[1 + s] <== slot.value[s];
    }
    component at = OneHot8();
    at.bit <== slot.place;
    signal picked[8];
    var found = 0;
    for (var i = 0; i < 8; i++) {
        picked[i] <== at.out[i] * child[i];
        found += picked[i];
    }
    slot.isUsed * (hash.out - found) === 0;
    (1 - slot.isUsed) * slot.id === 0;
    // The values of an unused row are free, so it must not count as settled.
    fact.isSettled <== slot.isUsed * isInRegister;

    var aboveTokens = 0;
    for (var i = TOKEN_BITS(); i < INSTRUMENT_BITS(); i++) {
        aboveTokens += idBits.out[i];
    }
    component tokenTest = EqualsZero();
    tokenTest.in <== aboveTokens;
    fact.isToken <== tokenTest.out;
}

// Distinct ids: an instrument that stood in two rows could be valued by either.
template AssertRowsAscend(N) {
    signal input isUsed[N];
    signal input id[N];

    // 2. RowsMustAscend: ids of used rows ascend; unused ones (id 0) may stand between them, as the
    // last of a node that is not read in full
    component gap[N - 1];
    var last = id[0];
    for (var r = 1; r < N; r++) {
        gap[r - 1] = AssertInRange(INSTRUMENT_BITS());
        gap[r - 1].in <== isUsed[r] * (id[r] - last - 1);
        last += gap[r - 1].in + isUsed[r];
    }
}

// All rows of a batch, the nodes that they are read from, and the two roots above these.
template Rows(ROWS, ROWS_PER_NODE) {
    var NODES = ROWS \ ROWS_PER_NODE;
    signal input tableRoot;
    signal input settlementRoot;
    input Opening(NODES) opening;
    input RowSlot() slot[ROWS];
    output RowFacts() fact[ROWS];

    // 1. RowMustBeInTable: the nodes that rows are read from are those of the table and the register
    component worldsRoot = TableRoot();
    worldsRoot.node <== opening.tableNode;
    component root = Hash(TAG_TABLE(), 3);
    root.in <== [opening.marksRoot, worldsRoot.out, opening.tableFlags];
    root.out === tableRoot;
    var above = SETTLEMENT_DEPTH() - WINDOW_DEPTH();
    component window[WINDOW_COUNT()];
    component windowStep[WINDOW_COUNT()][above];
    component windowFlag[WINDOW_COUNT()][3 * above];
    for (var v = 0; v < WINDOW_COUNT(); v++) {
        window[v] = Hash(TAG_NODE(), 8);
        window[v].in <== opening.settledNode[v];
        for (var l = 0; l < above; l++) {
            windowStep[v][l] = ReadUp();
            for (var i = 0; i < 3; i++) {
                windowFlag[v][3 * l + i] = AssertBoolean();
                windowFlag[v][3 * l + i].in <== opening.windowBit[v][3 * l + i];
                windowStep[v][l].bit[i] <== opening.windowBit[v][3 * l + i];
            }
            windowStep[v][l].child <== opening.windowChild[v][l];
            windowStep[v][l].node <== l == 0 ? window[v].out : windowStep[v][l == 0 ? 0 : l - 1].parent;
        }
        windowStep[v][above - 1].parent === settlementRoot;
    }
    component node[NODES];
    for (var n = 0; n < NODES; n++) {
        node[n] = RowNode();
        node[n].position <== opening.nodePosition[n];
        node[n].child <== opening.nodeChild[n];
        node[n].tableNode <== opening.tableNode;
        node[n].settledNode <== opening.settledNode;
    }
    component row[ROWS];
    component ascend = AssertRowsAscend(ROWS);
    for (var r = 0; r < ROWS; r++) {
        row[r] = Row();
        row[r].slot <== slot[r];
        row[r].isInRegister <== opening.nodePosition[r \ ROWS_PER_NODE][NODE_POSITION_BITS() - 1];
        row[r].child <== opening.nodeChild[r \ ROWS_PER_NODE];
        fact[r] <== row[r].fact;
        ascend.isUsed[r] <== slot[r].isUsed;
        ascend.id[r] <== slot[r].id;
    }
}

// rowQuantity = sum over accounts of weight * (new + mu * counted old) quantity in this row, rowSize
// the same of absolute quantities; both were fixed before the second challenge. What counts of the old
// is everything in a rescued account and what is converted in another.
template RowTerms() {
    input Challenges() challenge;
    input RowSlot() slot;
    input RowFacts() fact;
    signal input rowQuantity;
    signal input rowSize;
    signal output worth;
    signal output lookup;
    signal output conversion;

    // The variation world counts a token as nothing and everything else at its mark.
    signal variation <== slot.value[0] * (1 - fact.isToken);
    signal weighted[WORLD_COUNT()];
    var sum = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        weighted[s] <== challenge.worldWeight[s]
            * (s < ROW_VALUE_COUNT() ? slot.value[s < ROW_VALUE_COUNT() ? s : 0] : variation);
        sum += weighted[s];
    }
    // A settled row holds no new balance, and the old ones count by their cash.
    signal usedWorth <== (slot.isUsed - fact.isSettled) * sum;
    signal usedCharge <== (slot.isUsed - fact.isSettled) * slot.addOn;
    signal charge <== usedCharge * challenge.stressWeight;
    signal worthQuantity <== usedWorth * rowQuantity;
    signal worthSize <== charge * rowSize;
    worth <== worthQuantity - worthSize;

    // 3. TokenMustNotBeNegative: the absolute amounts of a token sum to the amounts
    fact.isToken * (rowSize - rowQuantity) === 0;

    // 4. SettledBalanceMustBeConverted: in a settled row only converted old balances appear
    signal settledQuantity <== fact.isSettled * rowQuantity;
    signal converted <== settledQuantity * challenge.inverseMu;
    conversion <== converted * slot.value[0];

    signal sizePart <== challenge.second[1] * rowSize;
    signal convertedPart <== challenge.second[2] * converted;
    lookup <-- (rowQuantity + sizePart + convertedPart) / (challenge.second[0] - slot.id);
    lookup * (challenge.second[0] - slot.id) === rowQuantity + sizePart + convertedPart;
}

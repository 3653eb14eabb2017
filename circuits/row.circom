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

// place: 3 bits of the row's place in its node; isInRegister: whether that is a node of the register.
template Row() {
    signal input isUsed;
    signal input isInRegister;
    signal input place[3];
    signal input child[8];
    signal input id;
    signal input status;
    signal input addOn;
    signal input value[ROW_VALUE_COUNT()];
    signal output isToken;
    signal output isSettled;

    // 1. RowMustBeInTable: the row stands at its place in the node
    component idBits = Bits(INSTRUMENT_BITS());
    idBits.in <== id;
    component statusBits = AssertInRange(ROW_STATUS_BITS());
    statusBits.in <== status;
    component addOnBits = AssertInRange(ADD_ON_BITS());
    addOnBits.in <== addOn;
    component used = AssertBoolean();
    used.in <== isUsed;
    component flag[3];
    for (var i = 0; i < 3; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== place[i];
    }
    component hash = HashTagged(1 + ROW_VALUE_COUNT());
    hash.tag <== TAG_ROW() + isInRegister * (TAG_SETTLED() - TAG_ROW());
    hash.in[0] <== id + status * (1 << 28) + addOn * (1 << 32);
    for (var s = 0; s < ROW_VALUE_COUNT(); s++) {
        hash.in[1 + s] <== value[s];
    }
    component at = OneHot8();
    at.bit <== place;
    signal picked[8];
    var found = 0;
    for (var i = 0; i < 8; i++) {
        picked[i] <== at.out[i] * child[i];
        found += picked[i];
    }
    isUsed * (hash.out - found) === 0;
    (1 - isUsed) * id === 0;
    // The values of an unused row are free, so it must not count as settled.
    isSettled <== isUsed * isInRegister;

    var aboveTokens = 0;
    for (var i = TOKEN_BITS(); i < INSTRUMENT_BITS(); i++) {
        aboveTokens += idBits.out[i];
    }
    component tokenTest = EqualsZero();
    tokenTest.in <== aboveTokens;
    isToken <== tokenTest.out;
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
    signal input marksRoot;
    signal input tableFlags;
    signal input tableNode[TABLE_NODE_COUNT()];
    signal input settledNode[WINDOW_COUNT()][8];
    signal input windowBit[WINDOW_COUNT()][3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH())];
    signal input windowChild[WINDOW_COUNT()][SETTLEMENT_DEPTH() - WINDOW_DEPTH()][8];
    signal input nodePosition[NODES][NODE_POSITION_BITS()];
    signal input nodeChild[NODES][8];
    signal input isUsed[ROWS];
    signal input place[ROWS][3];
    signal input id[ROWS];
    signal input status[ROWS];
    signal input addOn[ROWS];
    signal input value[ROWS][ROW_VALUE_COUNT()];
    signal output isToken[ROWS];
    signal output isSettled[ROWS];

    // 1. RowMustBeInTable: the nodes that rows are read from are those of the table and the register
    component worldsRoot = TableRoot();
    worldsRoot.node <== tableNode;
    component root = Hash(TAG_TABLE(), 3);
    root.in <== [marksRoot, worldsRoot.out, tableFlags];
    root.out === tableRoot;
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
        windowStep[v][above - 1].parent === settlementRoot;
    }
    component rowNode[NODES];
    for (var n = 0; n < NODES; n++) {
        rowNode[n] = RowNode();
        rowNode[n].position <== nodePosition[n];
        rowNode[n].child <== nodeChild[n];
        rowNode[n].tableNode <== tableNode;
        rowNode[n].settledNode <== settledNode;
    }
    component row[ROWS];
    for (var r = 0; r < ROWS; r++) {
        row[r] = Row();
        row[r].isUsed <== isUsed[r];
        row[r].isInRegister <== nodePosition[r \ ROWS_PER_NODE][NODE_POSITION_BITS() - 1];
        row[r].place <== place[r];
        row[r].child <== nodeChild[r \ ROWS_PER_NODE];
        row[r].id <== id[r];
        row[r].status <== status[r];
        row[r].addOn <== addOn[r];
        row[r].value <== value[r];
        isToken[r] <== row[r].isToken;
        isSettled[r] <== row[r].isSettled;
    }
    component rowsAscend = AssertRowsAscend(ROWS);
    rowsAscend.isUsed <== isUsed;
    rowsAscend.id <== id;
}

// rowQuantity = sum over accounts of weight * (new + mu * counted old) quantity in this row, rowSize
// the same of absolute quantities; both were fixed before the second challenge. What counts of the old
// is everything in a rescued account and what is converted in another.
template RowTerms() {
    signal input challenge[17];
    signal input second[3];
    signal input worldWeight[WORLD_COUNT()];
    signal input stressWeight;
    signal input inverseMu;
    signal input isUsed;
    signal input isSettled;
    signal input isToken;
    signal input id;
    signal input addOn;
    signal input value[ROW_VALUE_COUNT()];
    signal input rowQuantity;
    signal input rowSize;
    signal output worth;
    signal output lookup;
    signal output conversion;

    // The variation world counts a token as nothing and everything else at its mark.
    signal variation <== value[0] * (1 - isToken);
    signal weighted[WORLD_COUNT()];
    var sum = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        weighted[s] <== worldWeight[s] * (s < ROW_VALUE_COUNT() ? value[s < ROW_VALUE_COUNT() ? s : 0] : variation);
        sum += weighted[s];
    }
    // A settled row holds no new balance, and the old ones count by their cash.
    signal usedWorth <== (isUsed - isSettled) * sum;
    signal usedCharge <== (isUsed - isSettled) * addOn;
    signal charge <== usedCharge * stressWeight;
    signal worthQuantity <== usedWorth * rowQuantity;
    signal worthSize <== charge * rowSize;
    worth <== worthQuantity - worthSize;

    // 3. TokenMustNotBeNegative: the absolute amounts of a token sum to the amounts
    isToken * (rowSize - rowQuantity) === 0;

    // 4. SettledBalanceMustBeConverted: in a settled row only converted old balances appear
    signal settledQuantity <== isSettled * rowQuantity;
    signal converted <== settledQuantity * inverseMu;
    conversion <== converted * value[0];

    signal sizePart <== second[1] * rowSize;
    signal convertedPart <== second[2] * converted;
    lookup <-- (rowQuantity + sizePart + convertedPart) / (second[0] - id);
    lookup * (second[0] - id) === rowQuantity + sizePart + convertedPart;
}

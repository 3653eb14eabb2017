// A claim after a freeze: what an account is worth at the marks, proven from its leaf by its owner.
//
//  1. LeafMustBeInTree
//  2. BalancesMustBeWellFormed
//  3. MarkMustBeInTable
//  4. SettledValueMustBeInRegister
//  5. EquityMustFollowMarks
pragma circom 2.2.0;

include "account.circom";
include "lib/bits.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";
include "generated/params.circom";

// One of the 32 nodes of eight marks each, opened. position: 3 bits of node in its group, 2 of group.
template MarksNode() {
    signal input child[8];
    signal input position[5];
    signal input node[TABLE_NODE_COUNT()];

    // 3. MarkMustBeInTable: the eight leaves hash to the node at the position
    component flag[5];
    for (var i = 0; i < 5; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== position[i];
    }
    component hash = Hash(TAG_NODE(), 8);
    hash.in <== child;
    component low = OneHot8();
    low.bit <== [position[0], position[1], position[2]];
    signal both <== position[3] * position[4];
    var group[4] = [1 - position[3] - position[4] + both, position[3] - both, position[4] - both, both];
    signal picked[4][8];
    signal share[4];
    var found = 0;
    for (var g = 0; g < 4; g++) {
        var inGroup = 0;
        for (var i = 0; i < 8; i++) {
            picked[g][i] <== low.out[i] * node[8 * g + i];
            inGroup += picked[g][i];
        }
        share[g] <== group[g] * inGroup;
        found += share[g];
    }
    found === hash.out;
}

// The mark of one instrument: a leaf of one of the opened nodes.
template Mark(NODES) {
    signal input isRead;
    signal input id;
    signal input value;
    signal input status;
    signal input bit[3];
    signal input choice[NODES];
    signal input child[NODES][8];

    // 3. MarkMustBeInTable: the leaf stands at its place in the chosen node
    component leaf = Hash(TAG_MARK(), 3);
    leaf.in <== [id, value, status];
    component at = OneHot8();
    component flag[3];
    for (var i = 0; i < 3; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== bit[i];
        at.bit[i] <== bit[i];
    }
    component chosen[NODES];
    signal picked[NODES][8];
    signal share[NODES];
    var found = 0;
    var count = 0;
    for (var v = 0; v < NODES; v++) {
        chosen[v] = AssertBoolean();
        chosen[v].in <== choice[v];
        count += choice[v];
        var inNode = 0;
        for (var i = 0; i < 8; i++) {
            picked[v][i] <== at.out[i] * child[v][i];
            inNode += picked[v][i];
        }
        share[v] <== choice[v] * inNode;
        found += share[v];
    }
    count === isRead;
    isRead * (leaf.out - found) === 0;
}

// An entry of the settlement register, read from its root.
template SettledValue() {
    signal input isUsed;
    signal input id;
    signal input value;
    signal input bit[3 * SETTLEMENT_DEPTH()];
    signal input child[SETTLEMENT_DEPTH()][8];
    signal input root;

    // 4. SettledValueMustBeInRegister: the entry stands under the register's root
    component leaf = Hash(TAG_SETTLED(), 1 + ROW_VALUE_COUNT());
    leaf.in[0] <== id + SETTLED() * (1 << INSTRUMENT_BITS());
    for (var s = 0; s < ROW_VALUE_COUNT(); s++) {
        leaf.in[1 + s] <== value;
    }
    component flag[3 * SETTLEMENT_DEPTH()];
    component step[SETTLEMENT_DEPTH()];
    for (var l = 0; l < SETTLEMENT_DEPTH(); l++) {
        step[l] = ReadUp();
        for (var i = 0; i < 3; i++) {
            flag[3 * l + i] = AssertBoolean();
            flag[3 * l + i].in <== bit[3 * l + i];
            step[l].bit[i] <== bit[3 * l + i];
        }
        step[l].child <== child[l];
        step[l].node <== l == 0 ? leaf.out : step[l == 0 ? 0 : l - 1].parent;
    }
    isUsed * (step[SETTLEMENT_DEPTH() - 1].parent - root) === 0;
}

// NODES: over how many nodes of the marks tree the balances may be spread. SETTLED_SLOTS: how many
// settled and unconverted instruments the account may hold. Ids need no range here: one that is held
// is that of a mark or of an entry of the register, one that is not is 0.
template Escape(NODES, SETTLED_SLOTS) {
    signal input root;
    signal input tableRoot;
    signal input settlementRoot;
    signal input index;
    signal input equity;

    // The leaf.
    signal input ownerKeyHash;
    signal input viewKeyHash;
    signal input head;
    signal input meta;
    signal input salt;
    signal input id[SLOT_COUNT() - 1];
    signal input quantity[SLOT_COUNT()];
    signal input child[TREE_DEPTH()][8];
    // The marks.
    signal input worldsRoot;
    signal input tableFlags;
    signal input node[TABLE_NODE_COUNT()];
    signal input value[SLOT_COUNT() - 1];
    signal input status[SLOT_COUNT() - 1];
    signal input bit[SLOT_COUNT() - 1][3];
    signal input choice[SLOT_COUNT() - 1][NODES];
    signal input marks[NODES][8];
    signal input position[NODES][5];
    // The register.
    signal input settledId[SETTLED_SLOTS];
    signal input settledValue[SETTLED_SLOTS];
    signal input settledBit[SETTLED_SLOTS][3 * SETTLEMENT_DEPTH()];
    signal input settledChild[SETTLED_SLOTS][SETTLEMENT_DEPTH()][8];
    signal input settledChoice[SETTLED_SLOTS][SLOT_COUNT() - 1];
    signal input isNegative;

    var n = SLOT_COUNT() - 1;

    // 2. BalancesMustBeWellFormed: the leaf's words are read in the one way that keeps all widths
    component balances = Balances();
    balances.held.id <== id;
    balances.held.quantity <== quantity;
    // 2. BalancesMustBeWellFormed: id 0 where nothing is held
    component isUnheld[n];
    for (var i = 0; i < n; i++) {
        isUnheld[i] = EqualsZero();
        isUnheld[i].in <== quantity[i + 1];
        isUnheld[i].out * id[i] === 0;
    }

    // 1. LeafMustBeInTree: the leaf stands at the account's index under the root
    component leaf = Leaf();
    leaf.ownerKeyHash <== ownerKeyHash;
    leaf.viewKeyHash <== viewKeyHash;
    leaf.head <== head;
    leaf.meta <== meta;
    leaf.word <== balances.word;
    leaf.salt <== salt;
    component indexBits = Bits(INDEX_BITS());
    indexBits.in <== index;
    component step[TREE_DEPTH()];
    for (var l = 0; l < TREE_DEPTH(); l++) {
        step[l] = ReadUp();
        step[l].bit <== [indexBits.out[3 * l], indexBits.out[3 * l + 1], indexBits.out[3 * l + 2]];
        step[l].child <== child[l];
        step[l].node <== l == 0 ? leaf.out : step[l == 0 ? 0 : l - 1].parent;
    }
    step[TREE_DEPTH() - 1].parent === root;

    // 3. MarkMustBeInTable: the nodes are those of the table on L1
    component marksRoot = TableRoot();
    marksRoot.node <== node;
    component table = Hash(TAG_TABLE(), 3);
    table.in <== [marksRoot.out, worldsRoot, tableFlags];
    table.out === tableRoot;

    // 4. SettledValueMustBeInRegister: a slot that is chosen has the id and the value of an entry
    component settled[SETTLED_SLOTS];
    component settledFlag[SETTLED_SLOTS][n];
    var isSettled[n];
    for (var i = 0; i < n; i++) {
        isSettled[i] = 0;
    }
    for (var s = 0; s < SETTLED_SLOTS; s++) {
        var isUsed = 0;
        for (var i = 0; i < n; i++) {
            settledFlag[s][i] = AssertBoolean();
            settledFlag[s][i].in <== settledChoice[s][i];
            settledChoice[s][i] * (id[i] - settledId[s]) === 0;
            settledChoice[s][i] * (value[i] - settledValue[s]) === 0;
            isUsed += settledChoice[s][i];
            isSettled[i] += settledChoice[s][i];
        }
        settled[s] = SettledValue();
        settled[s].isUsed <== isUsed;
        settled[s].id <== settledId[s];
        settled[s].value <== settledValue[s];
        settled[s].bit <== settledBit[s];
        settled[s].child <== settledChild[s];
        settled[s].root <== settlementRoot;
    }

    // Every other balance that is held is read from the marks.
    component opened[NODES];
    for (var v = 0; v < NODES; v++) {
        opened[v] = MarksNode();
        opened[v].child <== marks[v];
        opened[v].position <== position[v];
        opened[v].node <== node;
    }
    component mark[n];
    signal worth[n];
    var sum = quantity[0];
    for (var i = 0; i < n; i++) {
        mark[i] = Mark(NODES);
        mark[i].isRead <== 1 - isUnheld[i].out - isSettled[i];
        mark[i].id <== id[i];
        mark[i].value <== value[i];
        mark[i].status <== status[i];
        mark[i].bit <== bit[i];
        mark[i].choice <== choice[i];
        mark[i].child <== marks;
        worth[i] <== quantity[i + 1] * value[i];
        sum += worth[i];
    }

    // 5. EquityMustFollowMarks: equity = max(0, cash + sum of quantity * mark). The sum is below 2^108
    // in size: 55 + 48 bits for a product, 5 more for 18 of them. So it wraps nowhere, and exactly one
    // of sum and -sum - 1 is in range.
    component flag = AssertBoolean();
    flag.in <== isNegative;
    signal positive <== (1 - isNegative) * sum;
    component range = AssertInRange(WORLD_BITS());
    range.in <== 2 * positive - sum - isNegative;
    equity === positive;
}

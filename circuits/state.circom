// The state tree: touched leaves ascend, stand in the old root, and their successors make the new one.
//
//  1. AccountsMustAscend
//  2. LeafMustBeInTree
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/poseidon.circom";
include "lib/tree.circom";
include "generated/params.circom";

template StateUpdate(COUNT) {
    signal input oldRoot;
    signal input newRoot;
    signal input topNode[8];
    signal input index[COUNT];
    signal input oldLeaf[COUNT];
    signal input newLeaf[COUNT];
    signal input child[COUNT][TREE_DEPTH() - 1][8];

    // 1. AccountsMustAscend: the fee account first, then strictly ascending indices
    index[0] === FEE_ACCOUNT_INDEX();
    component indexBits[COUNT];
    component indexGap[COUNT - 1];
    for (var a = 0; a < COUNT; a++) {
        indexBits[a] = Bits(INDEX_BITS());
        indexBits[a].in <== index[a];
        if (a > 0) {
            indexGap[a - 1] = AssertInRange(INDEX_BITS());
            indexGap[a - 1].in <== index[a] - index[a - 1] - 1;
        }
    }

    // 2. LeafMustBeInTree: old leaves stand in the old root, new leaves take their places. The eight
    // nodes under the root are carried along, so that the root is hashed twice in all.
    component path[COUNT];
    component top[COUNT];
    signal topPicked[COUNT][8];
    signal topAfter[COUNT + 1][8];
    topAfter[0] <== topNode;
    for (var a = 0; a < COUNT; a++) {
        path[a] = UpdatePath(TREE_DEPTH() - 1);
        for (var i = 0; i < INDEX_BITS() - 3; i++) {
            path[a].bit[i] <== indexBits[a].out[i];
        }
        path[a].child <== child[a];
        path[a].oldLeaf <== oldLeaf[a];
        path[a].newLeaf <== newLeaf[a];
        top[a] = OneHot8();
        for (var i = 0; i < 3; i++) {
            top[a].bit[i] <== indexBits[a].out[INDEX_BITS() - 3 + i];
        }
        var found = 0;
        for (var i = 0; i < 8; i++) {
            topPicked[a][i] <== top[a].out[i] * topAfter[a][i];
            found += topPicked[a][i];
            topAfter[a + 1][i] <== topAfter[a][i] + top[a].out[i] * (path[a].newTop - path[a].oldTop);
        }
        found === path[a].oldTop;
    }
    component before = Hash(TAG_NODE(), 8);
    component after = Hash(TAG_NODE(), 8);
    before.in <== topNode;
    after.in <== topAfter[COUNT];
    before.out === oldRoot;
    after.out === newRoot;
}

// Steps through the 8-ary Poseidon tree.
pragma circom 2.2.0;

include "bits.circom";
include "poseidon.circom";
include "../generated/params.circom";

// One level: `oldNode` stands at place `bit` among `child`; the parent before and after `newNode`
// takes its place.
template StepUp() {
    signal input bit[3];
    signal input child[8];
    signal input oldNode;
    signal input newNode;
    signal output oldParent;
    signal output newParent;

    component at = OneHot8();
    at.bit <== bit;
    signal picked[8];
    signal nextChild[8];
    var found = 0;
    for (var i = 0; i < 8; i++) {
        picked[i] <== at.out[i] * child[i];
        found += picked[i];
        nextChild[i] <== child[i] + at.out[i] * (newNode - oldNode);
    }
    found === oldNode;
    component before = Hash(TAG_NODE(), 8);
    component after = Hash(TAG_NODE(), 8);
    before.in <== child;
    after.in <== nextChild;
    oldParent <== before.out;
    newParent <== after.out;
}

// One level of reading only.
template ReadUp() {
    signal input bit[3];
    signal input child[8];
    signal input node;
    signal output parent;

    component at = OneHot8();
    at.bit <== bit;
    signal picked[8];
    var found = 0;
    for (var i = 0; i < 8; i++) {
        picked[i] <== at.out[i] * child[i];
        found += picked[i];
    }
    found === node;
    component hash = Hash(TAG_NODE(), 8);
    hash.in <== child;
    parent <== hash.out;
}

// LEVELS levels of update, from a leaf to the node above them.
template UpdatePath(LEVELS) {
    signal input bit[3 * LEVELS];
    signal input child[LEVELS][8];
    signal input oldLeaf;
    signal input newLeaf;
    signal output oldTop;
    signal output newTop;

    component step[LEVELS];
    for (var l = 0; l < LEVELS; l++) {
        step[l] = StepUp();
        step[l].bit <== [bit[3 * l], bit[3 * l + 1], bit[3 * l + 2]];
        step[l].child <== child[l];
        step[l].oldNode <== l == 0 ? oldLeaf : step[l - 1].oldParent;
        step[l].newNode <== l == 0 ? newLeaf : step[l - 1].newParent;
    }
    oldTop <== step[LEVELS - 1].oldParent;
    newTop <== step[LEVELS - 1].newParent;
}

// The root of a table over its 32 nodes of eight rows: the other half of the tree is empty.
template TableRoot() {
    signal input node[TABLE_NODE_COUNT()];
    signal output out;
    component lower[4];
    component top = Hash(TAG_NODE(), 8);
    for (var g = 0; g < 4; g++) {
        lower[g] = Hash(TAG_NODE(), 8);
        for (var i = 0; i < 8; i++) {
            lower[g].in[i] <== node[8 * g + i];
        }
        top.in[g] <== lower[g].out;
        top.in[g + 4] <== EMPTY_TABLE_BRANCH();
    }
    out <== top.out;
}

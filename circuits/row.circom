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

// position: 3 bits of place in a node, 6 bits of node, 1 bit: table (0) or settlement window (1).
template Row() {
    signal input isUsed;
    signal input position[10];
    signal input id;
    signal input status;
    signal input addOn;
    signal input value[ROW_VALUE_COUNT()];
    signal input sibling[8];
    signal input tableNode[64];
    signal input settledNode[64];
    signal output isToken;

    // 1. RowMustBeInTable: the row stands at its position under the worlds root or the register
    component idBits = Bits(INSTRUMENT_BITS());
    idBits.in <== id;
    component statusBits = AssertInRange(ROW_STATUS_BITS());
    statusBits.in <== status;
    component addOnBits = AssertInRange(ADD_ON_BITS());
    addOnBits.in <== addOn;
    component used = AssertBoolean();
    used.in <== isUsed;
    component flag[10];
    for (var i = 0; i < 10; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== position[i];
    }
    component hash = HashTagged(1 + ROW_VALUE_COUNT());
    hash.tag <== TAG_ROW() + position[9] * (TAG_SETTLED() - TAG_ROW());
    hash.in[0] <== id + status * (1 << 28) + addOn * (1 << 32);
    for (var s = 0; s < ROW_VALUE_COUNT(); s++) {
        hash.in[1 + s] <== value[s];
    }
    component node = ReadUp();
    node.bit <== [position[0], position[1], position[2]];
    node.child <== sibling;
    node.node <== hash.out;

    component low = OneHot8();
    component high = OneHot8();
    low.bit <== [position[3], position[4], position[5]];
    high.bit <== [position[6], position[7], position[8]];
    signal tablePick[64];
    signal settledPick[64];
    signal tableGroup[8];
    signal settledGroup[8];
    var tableSum = 0;
    var settledSum = 0;
    for (var g = 0; g < 8; g++) {
        var inTable = 0;
        var inRegister = 0;
        for (var i = 0; i < 8; i++) {
            tablePick[8 * g + i] <== low.out[i] * tableNode[8 * g + i];
            settledPick[8 * g + i] <== low.out[i] * settledNode[8 * g + i];
            inTable += tablePick[8 * g + i];
            inRegister += settledPick[8 * g + i];
        }
        tableGroup[g] <== high.out[g] * inTable;
        settledGroup[g] <== high.out[g] * inRegister;
        tableSum += tableGroup[g];
        settledSum += settledGroup[g];
    }
    signal expected <== tableSum + position[9] * (settledSum - tableSum);
    isUsed * (node.parent - expected) === 0;
    // The values of an unused row are free, so it must not count as settled either.
    (1 - isUsed) * (id + position[9] * (1 << INSTRUMENT_BITS())) === 0;

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

    // 2. RowsMustAscend: used rows come first, their ids ascend
    component gap[N - 1];
    for (var r = 1; r < N; r++) {
        isUsed[r] * (1 - isUsed[r - 1]) === 0;
        gap[r - 1] = AssertInRange(INSTRUMENT_BITS());
        gap[r - 1].in <== isUsed[r] * (id[r] - id[r - 1] - 1);
    }
}

// rowQuantity = sum over accounts of weight * (new + mu * old) quantity in this row, rowSize the
// same of absolute quantities; both were fixed before the second challenge.
template RowTerms() {
    signal input challenge[17];
    signal input second[3];
    signal input worldWeight[WORLD_COUNT()];
    signal input stressWeight;
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
    signal usedWorth <== isUsed * sum;
    signal usedCharge <== isUsed * addOn;
    signal charge <== usedCharge * stressWeight;
    signal worthQuantity <== usedWorth * rowQuantity;
    signal worthSize <== charge * rowSize;
    worth <== worthQuantity - worthSize;

    // 3. TokenMustNotBeNegative: the absolute amounts of a token sum to the amounts
    isToken * (rowSize - rowQuantity) === 0;

    // 4. SettledBalanceMustBeConverted: in a settled row only converted old balances appear
    signal inverseMu <-- 1 / challenge[CH_MU()];
    inverseMu * challenge[CH_MU()] === 1;
    signal settledQuantity <== isSettled * rowQuantity;
    signal converted <== settledQuantity * inverseMu;
    conversion <== converted * value[0];

    signal sizePart <== second[1] * rowSize;
    signal convertedPart <== second[2] * converted;
    lookup <-- (rowQuantity + sizePart + convertedPart) / (second[0] - id);
    lookup * (second[0] - id) === rowQuantity + sizePart + convertedPart;
}

// How an account unwinds: a balance of a reduce-only account gets smaller and keeps its sign.
//
//  1. ReduceOnlyMustReduce
pragma circom 2.2.0;

include "lib/bits.circom";
include "records.circom";
include "generated/params.circom";

// One changed balance of a reduce-only account with pages: kept + closed lots of one sign before, kept
// lots of the same sign after. The word binds them before the challenge.
template Reduction(MEMBERS) {
    input ReductionSlot(MEMBERS) slot;
    signal input index[MEMBERS];
    output ReductionFacts() fact;

    // 1. ReduceOnlyMustReduce: what is kept and what is closed are sizes; an unused slot is all zeros
    component flag[MEMBERS];
    signal part[MEMBERS];
    var count = 0;
    var sum = 0;
    for (var a = 0; a < MEMBERS; a++) {
        flag[a] = AssertBoolean();
        flag[a].in <== slot.choice[a];
        part[a] <== slot.choice[a] * index[a];
        count += slot.choice[a];
        sum += part[a];
    }
    signal isUsed <== count;
    fact.isUsed <== isUsed;
    fact.account <== sum;
    component used = AssertBoolean();
    used.in <== isUsed;
    component idRange = AssertInRange(INSTRUMENT_BITS());
    idRange.in <== slot.id;
    component keptRange = AssertInRange(QUANTITY_BITS());
    keptRange.in <== slot.kept;
    component closedRange = AssertInRange(QUANTITY_BITS());
    closedRange.in <== slot.closed;
    component short = AssertBoolean();
    short.in <== slot.isShort;
    // 28 + 56 + 56 + 1 = 141 bits
    signal word <== slot.id + slot.kept * (1 << 28) + slot.closed * (1 << 84)
        + slot.isShort * (1 << 140);
    fact.word <== word;
    (1 - isUsed) * word === 0;
}

template ReductionTerms(MEMBERS) {
    signal input challenge[17];
    input ReductionSlot(MEMBERS) slot;
    input ReductionFacts() fact;
    signal output term;

    signal before <== challenge[CH_REDUCED()] * (slot.kept + slot.closed);
    signal moved <== (1 - 2 * slot.isShort) * (slot.kept + before);
    signal counted <== challenge[CH_REDUCTION_COUNT()] * fact.isUsed;
    signal key <== challenge[CH_INSTRUMENT()] * slot.id;
    signal fraction <-- (moved + counted) / (challenge[CH_POINT()] - fact.account - key);
    fraction * (challenge[CH_POINT()] - fact.account - key) === moved + counted;
    term <== fraction;
}

// What a member's account adds to the identities, at the challenges.
pragma circom 2.2.0;

include "generated/params.circom";

template MemberTerms() {
    signal input challenge[17];
    signal input second[3];
    signal input worldWeight[WORLD_COUNT()];
    signal input index;
    signal input isSigned;
    signal input oldHead;
    signal input newHead;
    signal input oldId[SLOT_COUNT() - 1];
    signal input oldQuantity[SLOT_COUNT()];
    signal input oldSize[SLOT_COUNT() - 1];
    signal input newId[SLOT_COUNT() - 1];
    signal input newQuantity[SLOT_COUNT()];
    signal input newSize[SLOT_COUNT() - 1];
    signal input isConverted[SLOT_COUNT() - 1];
    signal input isReduced[SLOT_COUNT() - 1];
    signal input isReduceOnly;
    signal input conversionCash;
    signal input feePaid;
    signal input liveCount;
    signal input isRescue;
    signal input difference[WORLD_COUNT()];
    signal output balance;
    signal output journal;
    signal output count;
    signal output lookup;
    signal output worth;
    signal output reduction;

    var point = challenge[CH_POINT()];
    var n = SLOT_COUNT() - 1;

    // What of the old side is looked up: everything in a rescued account, else what is converted.
    signal rescuedMu <== challenge[CH_MU()] * isRescue;
    // Change of balances, converted ones left out on the old side: their cash comes as conversionCash.
    signal converted[n];
    signal oldKey[n];
    signal newKey[n];
    signal oldTerm[n];
    signal newTerm[n];
    signal oldSizePart[n];
    signal newSizePart[n];
    signal convertedPart[n];
    signal oldPart[n];
    signal oldLookup[n];
    signal newLookup[n];
    signal reducedOld[n];
    signal reducedCount[n];
    var balances = 0;
    var lookups = 0;
    var reduced = 0;
    var reductions = 0;
    for (var i = 0; i < n; i++) {
        converted[i] <== isConverted[i] * oldQuantity[i + 1];
        oldKey[i] <== challenge[CH_INSTRUMENT()] * oldId[i];
        oldTerm[i] <-- (oldQuantity[i + 1] - converted[i]) / (point - index - oldKey[i]);
        oldTerm[i] * (point - index - oldKey[i]) === oldQuantity[i + 1] - converted[i];
        newKey[i] <== challenge[CH_INSTRUMENT()] * newId[i];
        newTerm[i] <-- newQuantity[i + 1] / (point - index - newKey[i]);
        newTerm[i] * (point - index - newKey[i]) === newQuantity[i + 1];
        balances += newTerm[i] - oldTerm[i];
        reducedOld[i] <== isReduced[i] * oldTerm[i];
        reducedCount[i] <-- isReduced[i] / (point - index - oldKey[i]);
        reducedCount[i] * (point - index - oldKey[i]) === isReduced[i];
        reduced += reducedOld[i];
        reductions += reducedCount[i];

        newSizePart[i] <== second[1] * newSize[i];
        newLookup[i] <-- (newQuantity[i + 1] + newSizePart[i]) / (second[0] - newId[i]);
        newLookup[i] * (second[0] - newId[i]) === newQuantity[i + 1] + newSizePart[i];
        oldSizePart[i] <== second[1] * oldSize[i];
        convertedPart[i] <== (second[2] + challenge[CH_MU()] - rescuedMu) * converted[i];
        oldPart[i] <== rescuedMu * (oldQuantity[i + 1] + oldSizePart[i]);
        oldLookup[i] <-- (oldPart[i] + convertedPart[i]) / (second[0] - oldId[i]);
        oldLookup[i] * (second[0] - oldId[i]) === oldPart[i] + convertedPart[i];
        lookups += newLookup[i] + oldLookup[i];
    }
    var cashKey = point - index - challenge[CH_INSTRUMENT()] * CASH_ID();
    var cashMoved = newQuantity[0] - oldQuantity[0] - conversionCash + feePaid;
    signal cashTerm <-- cashMoved / cashKey;
    cashTerm * cashKey === cashMoved;
    balance <== balances + cashTerm;
    lookup <== lookups;

    // What a reduce-only account with pages may change: balances that are named, each by one reduction.
    signal reducedTwice <== (1 + challenge[CH_REDUCED()]) * reduced;
    signal counts <== challenge[CH_REDUCTION_COUNT()] * reductions;
    reduction <== isReduceOnly * (balances + reducedTwice + counts);

    signal oldHeadKey <== challenge[CH_HEAD()] * oldHead;
    signal newHeadKey <== challenge[CH_HEAD()] * newHead;
    signal before <-- isSigned / (point - index - oldHeadKey);
    before * (point - index - oldHeadKey) === isSigned;
    signal after <-- isSigned / (point - index - newHeadKey);
    after * (point - index - newHeadKey) === isSigned;
    journal <== before - after;

    signal counted <-- liveCount / (point - index);
    counted * (point - index) === liveCount;
    count <== counted;

    // Claimed worth in all worlds, less the cash, which counts 1 in every world; a rescue slot adds
    // what it takes from the difference.
    signal claimed[WORLD_COUNT()];
    var weights = 0;
    var claims = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        claimed[s] <== worldWeight[s] * difference[s];
        claims += claimed[s];
        weights += worldWeight[s];
    }
    signal cashWorth <== weights * newQuantity[0];
    worth <== claims - cashWorth;
}

// What a rescue slot adds to the worth identity, weighted with its account: isWorse * old worth, which
// is missing in the difference, and mu * old worth less what counts 1 in every world: old cash and the
// cash of conversions.
template RescueTerms(MEMBERS) {
    signal input challenge[17];
    signal input worldWeight[WORLD_COUNT()];
    signal input accountWeight[MEMBERS];
    signal input choice[MEMBERS];
    signal input oldCash[MEMBERS];
    signal input conversionCash[MEMBERS];
    signal input isWorse[WORLD_COUNT()];
    signal input oldWorth[WORLD_COUNT()];
    signal output worth;

    signal weighted[MEMBERS];
    signal flat[MEMBERS];
    var weight = 0;
    var cash = 0;
    for (var a = 0; a < MEMBERS; a++) {
        weighted[a] <== choice[a] * accountWeight[a];
        flat[a] <== choice[a] * (oldCash[a] + conversionCash[a]);
        weight += weighted[a];
        cash += flat[a];
    }
    signal old[WORLD_COUNT()];
    signal worseOld[WORLD_COUNT()];
    var olds = 0;
    var worseOlds = 0;
    var weights = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        old[s] <== worldWeight[s] * oldWorth[s];
        worseOld[s] <== isWorse[s] * old[s];
        olds += old[s];
        worseOlds += worseOld[s];
        weights += worldWeight[s];
    }
    signal flatWorth <== weights * cash;
    signal claimed <== challenge[CH_MU()] * (olds - flatWorth);
    worth <== weight * (worseOlds + claimed);
}

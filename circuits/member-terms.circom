// What a member's account adds to the identities, at the challenges.
pragma circom 2.2.0;

include "records.circom";
include "generated/params.circom";

template MemberTerms() {
    input Challenges() challenge;
    signal input index;
    input AccountSlot() slot;
    input Claim() claim;
    input AccountFacts() fact;
    signal output balance;
    signal output journal;
    signal output count;
    signal output lookup;
    signal output worth;
    signal output reduction;

    var point = challenge.first[CH_POINT()];
    var second = challenge.second[0];
    var n = SLOT_COUNT() - 1;

    // What of the old side is looked up: everything in a rescued account, else what is converted.
    signal rescuedMu <== challenge.first[CH_MU()] * fact.isRescue;
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
        converted[i] <== claim.isConverted[i] * slot.old.quantity[i + 1];
        oldKey[i] <== challenge.first[CH_INSTRUMENT()] * slot.old.id[i];
        oldTerm[i] <-- (slot.old.quantity[i + 1] - converted[i]) / (point - index - oldKey[i]);
        oldTerm[i] * (point - index - oldKey[i]) === slot.old.quantity[i + 1] - converted[i];
        newKey[i] <== challenge.first[CH_INSTRUMENT()] * slot.next.id[i];
        newTerm[i] <-- slot.next.quantity[i + 1] / (point - index - newKey[i]);
        newTerm[i] * (point - index - newKey[i]) === slot.next.quantity[i + 1];
        balances += newTerm[i] - oldTerm[i];
        reducedOld[i] <== claim.isReduced[i] * oldTerm[i];
        reducedCount[i] <-- claim.isReduced[i] / (point - index - oldKey[i]);
        reducedCount[i] * (point - index - oldKey[i]) === claim.isReduced[i];
        reduced += reducedOld[i];
        reductions += reducedCount[i];

        newSizePart[i] <== challenge.second[1] * fact.newSize[i];
        newLookup[i] <-- (slot.next.quantity[i + 1] + newSizePart[i]) / (second - slot.next.id[i]);
        newLookup[i] * (second - slot.next.id[i]) === slot.next.quantity[i + 1] + newSizePart[i];
        oldSizePart[i] <== challenge.second[1] * fact.oldSize[i];
        convertedPart[i] <== (challenge.second[2] + challenge.first[CH_MU()] - rescuedMu) * converted[i];
        oldPart[i] <== rescuedMu * (slot.old.quantity[i + 1] + oldSizePart[i]);
        oldLookup[i] <-- (oldPart[i] + convertedPart[i]) / (second - slot.old.id[i]);
        oldLookup[i] * (second - slot.old.id[i]) === oldPart[i] + convertedPart[i];
        lookups += newLookup[i] + oldLookup[i];
    }
    var cashKey = point - index - challenge.first[CH_INSTRUMENT()] * CASH_ID();
    var cashMoved = slot.next.quantity[0] - slot.old.quantity[0] - claim.conversionCash + fact.feePaid;
    signal cashTerm <-- cashMoved / cashKey;
    cashTerm * cashKey === cashMoved;
    balance <== balances + cashTerm;
    lookup <== lookups;

    // What a reduce-only account with pages may change: balances that are named, each by one reduction.
    signal reducedTwice <== (1 + challenge.first[CH_REDUCED()]) * reduced;
    signal counts <== challenge.first[CH_REDUCTION_COUNT()] * reductions;
    reduction <== fact.isReduceOnly * (balances + reducedTwice + counts);

    signal oldHeadKey <== challenge.first[CH_HEAD()] * slot.oldHead;
    signal newHeadKey <== challenge.first[CH_HEAD()] * slot.newHead;
    signal before <-- slot.isSigned / (point - index - oldHeadKey);
    before * (point - index - oldHeadKey) === slot.isSigned;
    signal after <-- slot.isSigned / (point - index - newHeadKey);
    after * (point - index - newHeadKey) === slot.isSigned;
    journal <== before - after;

    signal counted <-- claim.liveCount / (point - index);
    counted * (point - index) === claim.liveCount;
    count <== counted;

    // Claimed worth in all worlds, less the cash, which counts 1 in every world; a rescue slot adds
    // what it takes from the difference.
    signal claimed[WORLD_COUNT()];
    var weights = 0;
    var claims = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        claimed[s] <== challenge.worldWeight[s] * claim.difference[s];
        claims += claimed[s];
        weights += challenge.worldWeight[s];
    }
    signal cashWorth <== weights * slot.next.quantity[0];
    worth <== claims - cashWorth;
}

// What a rescue slot adds to the worth identity, weighted with its account: isWorse * old worth, which
// is missing in the difference, and mu * old worth less what counts 1 in every world: old cash and the
// cash of conversions.
template RescueTerms(MEMBERS) {
    input Challenges() challenge;
    signal input accountWeight[MEMBERS];
    input RescueSlot(MEMBERS) slot;
    signal input oldCash[MEMBERS];
    signal input conversionCash[MEMBERS];
    signal output worth;

    signal weighted[MEMBERS];
    signal flat[MEMBERS];
    var weight = 0;
    var cash = 0;
    for (var a = 0; a < MEMBERS; a++) {
        weighted[a] <== slot.choice[a] * accountWeight[a];
        flat[a] <== slot.choice[a] * (oldCash[a] + conversionCash[a]);
        weight += weighted[a];
        cash += flat[a];
    }
    signal old[WORLD_COUNT()];
    signal worseOld[WORLD_COUNT()];
    var olds = 0;
    var worseOlds = 0;
    var weights = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        old[s] <== challenge.worldWeight[s] * slot.oldWorth[s];
        worseOld[s] <== slot.isWorse[s] * old[s];
        olds += old[s];
        worseOlds += worseOld[s];
        weights += challenge.worldWeight[s];
    }
    signal flatWorth <== weights * cash;
    signal claimed <== challenge.first[CH_MU()] * (olds - flatWorth);
    worth <== weight * (worseOlds + claimed);
}

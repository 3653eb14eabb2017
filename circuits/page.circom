// A page of a member's journal: one side of one package with one counterparty.
//
//  1. PageMustBeWellFormed
//  2. PaddingMustBeEmpty
//  3. StampMustBeLive
//  4. SkippedPageMustBeExpired
//  5. FeeMustBeWithinMaxFee
//  6. CounterpartyMustDiffer
//  7. RotationMustMoveNothing
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/poseidon.circom";
include "records.circom";
include "generated/params.circom";

template Page() {
    signal input time;
    signal input fee;
    input PageSlot() slot;
    output PageFacts() fact;

    // 1. PageMustBeWellFormed: flags and kind are bits, fields keep their widths
    component flag[4];
    var flags[4] = [slot.isLive, slot.isSkipped, slot.kindBit[0], slot.kindBit[1]];
    for (var i = 0; i < 4; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== flags[i];
    }
    slot.isLive * slot.isSkipped === 0;
    var isUsed = slot.isLive + slot.isSkipped;
    signal bothBits <== slot.kindBit[0] * slot.kindBit[1];
    isUsed === slot.kindBit[0] + slot.kindBit[1] - bothBits;
    component accountBits = AssertInRange(INDEX_BITS());
    accountBits.in <== slot.account;
    component counterpartyBits = AssertInRange(INDEX_BITS());
    counterpartyBits.in <== slot.counterparty;

    var terms = slot.kindBit[0] + 2 * slot.kindBit[1] + slot.account * (1 << 2)
        + slot.counterparty * (1 << 20) + slot.stamp * (1 << 38) + slot.maxFee * (1 << MAX_FEE_SHIFT());
    component hash = Hash(TAG_PAGE(), 12);
    hash.in[0] <== slot.previousHead;
    hash.in[1] <== terms;
    hash.in[2] <== slot.payload;
    for (var e = 0; e < 3; e++) {
        hash.in[3 + 3 * e] <== slot.instrument[e];
        hash.in[4 + 3 * e] <== slot.quantity[e];
        hash.in[5 + 3 * e] <== slot.price[e];
    }
    fact.head <== hash.out;

    // 2. PaddingMustBeEmpty: an unused slot is all zeros, so it hides nothing; its stamp has no width
    // of its own there and could make up for the other fields
    (1 - isUsed) * (hash.out - PADDING_HEAD()) === 0;
    (1 - isUsed) * slot.stamp === 0;

    // 3. StampMustBeLive: 0 <= batch time - stamp < life of a page
    // 4. SkippedPageMustBeExpired: batch time - stamp >= life of a page
    var latest = time * (1 << STAMP_RANDOM_BITS()) + (1 << STAMP_RANDOM_BITS()) - 1;
    component age = Bits(STAMP_AGE_BITS());
    age.in <== isUsed * (latest - slot.stamp) - slot.isSkipped * (1 << PAGE_LIFE_BITS());
    var beyond = 0;
    for (var i = PAGE_LIFE_BITS(); i < STAMP_AGE_BITS(); i++) {
        beyond += age.out[i];
    }
    slot.isLive * beyond === 0;

    // 5. FeeMustBeWithinMaxFee: fee <= maxFee < 2^40 + fee
    component slack = AssertInRange(FEE_BITS());
    slack.in <== slot.maxFee - slot.isLive * fee;

    // 7. RotationMustMoveNothing: a rotation has no entries
    signal isRotation <== slot.isLive * bothBits;
    fact.isRotation <== isRotation;
    for (var e = 0; e < 3; e++) {
        isRotation * slot.quantity[e] === 0;
    }

    // 6. CounterpartyMustDiffer: nobody trades with itself
    var distance = slot.account - slot.counterparty;
    signal inverse <-- distance != 0 ? (slot.isLive - isRotation) / distance : 0;
    distance * inverse === slot.isLive - isRotation;
}

// What a page adds to the identities, at the challenges. Fractions are written out: a numerator or
// denominator that is a sum would cost a constraint of its own as the input of a template.
template PageTerms() {
    signal input challenge[17];
    input PageSlot() slot;
    input PageFacts() fact;
    signal output balanceTerm[4];
    signal output pairTerm[5];
    signal output produced;
    signal output consumed;
    signal output count;
    signal output rotation;

    var point = challenge[CH_POINT()];
    var kind = slot.kindBit[0] + 2 * slot.kindBit[1];
    signal product <== slot.account * slot.counterparty;
    signal productKey <== challenge[CH_PRODUCT()] * product;
    signal stampKey <== challenge[CH_STAMP()] * (slot.stamp * 4 + kind);
    signal payloadKey <== challenge[CH_PAYLOAD()] * slot.payload;
    var pairKey = slot.account + slot.counterparty + productKey + stampKey + payloadKey;

    signal moved[3];
    signal paid[3];
    signal balanceKey[3];
    signal instrumentKey[3];
    var cash = 0;
    for (var e = 0; e < 3; e++) {
        moved[e] <== slot.isLive * slot.quantity[e];
        paid[e] <== moved[e] * slot.price[e];
        cash -= paid[e];
        balanceKey[e] <== challenge[CH_INSTRUMENT()] * slot.instrument[e];
        balanceTerm[e] <-- (moved[e]) / (point - slot.account - balanceKey[e]);
        balanceTerm[e] * (point - slot.account - balanceKey[e]) === moved[e];
        instrumentKey[e] <== challenge[CH_PAIR_INSTRUMENT()] * slot.instrument[e];
        pairTerm[e] <-- (moved[e]) / (point - pairKey - instrumentKey[e]);
        pairTerm[e] * (point - pairKey - instrumentKey[e]) === moved[e];
    }
    balanceTerm[3] <-- (cash) / (point - slot.account - challenge[CH_INSTRUMENT()] * CASH_ID());
    balanceTerm[3] * (point - slot.account - challenge[CH_INSTRUMENT()] * CASH_ID()) === cash;
    pairTerm[3] <-- (cash) / (point - pairKey - challenge[CH_PAIR_INSTRUMENT()] * CASH_ID());
    pairTerm[3] * (point - pairKey - challenge[CH_PAIR_INSTRUMENT()] * CASH_ID()) === cash;
    // Presence: opposite for the two sides, so that neither settles alone, with nothing moved either.
    signal presence <== (slot.isLive - fact.isRotation) * (slot.account - slot.counterparty);
    pairTerm[4] <-- presence / (point - pairKey - challenge[CH_PRESENCE()]);
    pairTerm[4] * (point - pairKey - challenge[CH_PRESENCE()]) === presence;
    signal producedKey <== challenge[CH_HEAD()] * fact.head;
    signal consumedKey <== challenge[CH_HEAD()] * slot.previousHead;
    produced <-- (slot.isLive + slot.isSkipped) / (point - slot.account - producedKey);
    produced * (point - slot.account - producedKey) === slot.isLive + slot.isSkipped;
    consumed <-- (slot.isLive + slot.isSkipped) / (point - slot.account - consumedKey);
    consumed * (point - slot.account - consumedKey) === slot.isLive + slot.isSkipped;

    signal counted;
    counted <-- (slot.isLive) / (point - slot.account);
    counted * (point - slot.account) === slot.isLive;
    count <== counted;

    signal rotationKey <== challenge[CH_ROTATION()] * slot.payload;
    signal rotated;
    rotated <-- (fact.isRotation) / (point - slot.account - producedKey - rotationKey);
    rotated * (point - slot.account - producedKey - rotationKey) === fact.isRotation;
    rotation <== rotated;
}

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
include "generated/params.circom";

template Page() {
    signal input time;
    signal input fee;
    signal input isLive;
    signal input isSkipped;
    signal input kindBit[2];
    signal input account;
    signal input counterparty;
    signal input stamp;
    signal input maxFee;
    signal input previousHead;
    signal input payload;
    signal input instrument[3];
    signal input quantity[3];
    signal input price[3];
    signal output head;
    signal output isRotation;

    // 1. PageMustBeWellFormed: flags and kind are bits, fields keep their widths
    component flag[4];
    var flags[4] = [isLive, isSkipped, kindBit[0], kindBit[1]];
    for (var i = 0; i < 4; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== flags[i];
    }
    isLive * isSkipped === 0;
    signal isUsed <== isLive + isSkipped;
    signal bothBits <== kindBit[0] * kindBit[1];
    isUsed === kindBit[0] + kindBit[1] - bothBits;
    component accountBits = AssertInRange(INDEX_BITS());
    accountBits.in <== account;
    component counterpartyBits = AssertInRange(INDEX_BITS());
    counterpartyBits.in <== counterparty;

    var terms = kindBit[0] + 2 * kindBit[1] + account * (1 << 2) + counterparty * (1 << 20)
        + stamp * (1 << 38) + maxFee * (1 << MAX_FEE_SHIFT());
    component hash = Hash(TAG_PAGE(), 12);
    hash.in[0] <== previousHead;
    hash.in[1] <== terms;
    hash.in[2] <== payload;
    for (var e = 0; e < 3; e++) {
        hash.in[3 + 3 * e] <== instrument[e];
        hash.in[4 + 3 * e] <== quantity[e];
        hash.in[5 + 3 * e] <== price[e];
    }
    head <== hash.out;

    // 2. PaddingMustBeEmpty: an unused slot is all zeros, so it hides nothing; its stamp has no width
    // of its own there and could make up for the other fields
    (1 - isUsed) * (head - PADDING_HEAD()) === 0;
    (1 - isUsed) * stamp === 0;

    // 3. StampMustBeLive: 0 <= batch time - stamp < life of a page
    // 4. SkippedPageMustBeExpired: batch time - stamp >= life of a page
    var latest = time * (1 << STAMP_RANDOM_BITS()) + (1 << STAMP_RANDOM_BITS()) - 1;
    component age = Bits(STAMP_AGE_BITS());
    age.in <== isUsed * (latest - stamp) - isSkipped * (1 << PAGE_LIFE_BITS());
    var beyond = 0;
    for (var i = PAGE_LIFE_BITS(); i < STAMP_AGE_BITS(); i++) {
        beyond += age.out[i];
    }
    isLive * beyond === 0;

    // 5. FeeMustBeWithinMaxFee: fee <= maxFee < 2^40 + fee
    component slack = AssertInRange(FEE_BITS());
    slack.in <== maxFee - isLive * fee;

    // 7. RotationMustMoveNothing: a rotation has no entries
    isRotation <== isLive * bothBits;
    for (var e = 0; e < 3; e++) {
        isRotation * quantity[e] === 0;
    }

    // 6. CounterpartyMustDiffer: nobody trades with itself
    signal inverse <-- account != counterparty ? (isLive - isRotation) / (account - counterparty) : 0;
    (account - counterparty) * inverse === isLive - isRotation;
}

// What a page adds to the identities, at the challenges. Fractions are written out: a numerator or
// denominator that is a sum would cost a constraint of its own as the input of a template.
template PageTerms() {
    signal input challenge[17];
    signal input isLive;
    signal input isSkipped;
    signal input isRotation;
    signal input kind;
    signal input account;
    signal input counterparty;
    signal input stamp;
    signal input previousHead;
    signal input head;
    signal input payload;
    signal input instrument[3];
    signal input quantity[3];
    signal input price[3];
    signal output balanceTerm[4];
    signal output pairTerm[5];
    signal output produced;
    signal output consumed;
    signal output count;
    signal output rotation;

    var point = challenge[CH_POINT()];
    signal product <== account * counterparty;
    signal productKey <== challenge[CH_PRODUCT()] * product;
    signal stampKey <== challenge[CH_STAMP()] * (stamp * 4 + kind);
    signal payloadKey <== challenge[CH_PAYLOAD()] * payload;
    var pairKey = account + counterparty + productKey + stampKey + payloadKey;

    signal moved[3];
    signal paid[3];
    signal balanceKey[3];
    signal instrumentKey[3];
    var cash = 0;
    for (var e = 0; e < 3; e++) {
        moved[e] <== isLive * quantity[e];
        paid[e] <== moved[e] * price[e];
        cash -= paid[e];
        balanceKey[e] <== challenge[CH_INSTRUMENT()] * instrument[e];
        balanceTerm[e] <-- (moved[e]) / (point - account - balanceKey[e]);
        balanceTerm[e] * (point - account - balanceKey[e]) === moved[e];
        instrumentKey[e] <== challenge[CH_PAIR_INSTRUMENT()] * instrument[e];
        pairTerm[e] <-- (moved[e]) / (point - pairKey - instrumentKey[e]);
        pairTerm[e] * (point - pairKey - instrumentKey[e]) === moved[e];
    }
    balanceTerm[3] <-- (cash) / (point - account - challenge[CH_INSTRUMENT()] * CASH_ID());
    balanceTerm[3] * (point - account - challenge[CH_INSTRUMENT()] * CASH_ID()) === cash;
    pairTerm[3] <-- (cash) / (point - pairKey - challenge[CH_PAIR_INSTRUMENT()] * CASH_ID());
    pairTerm[3] * (point - pairKey - challenge[CH_PAIR_INSTRUMENT()] * CASH_ID()) === cash;
    // Presence: opposite for the two sides, so that neither settles alone, with nothing moved either.
    signal presence <== (isLive - isRotation) * (account - counterparty);
    pairTerm[4] <-- presence / (point - pairKey - challenge[CH_PRESENCE()]);
    pairTerm[4] * (point - pairKey - challenge[CH_PRESENCE()]) === presence;
    signal producedKey <== challenge[CH_HEAD()] * head;
    signal consumedKey <== challenge[CH_HEAD()] * previousHead;
    produced <-- (isLive + isSkipped) / (point - account - producedKey);
    produced * (point - account - producedKey) === isLive + isSkipped;
    consumed <-- (isLive + isSkipped) / (point - account - consumedKey);
    consumed * (point - account - consumedKey) === isLive + isSkipped;

    signal counted;
    counted <-- (isLive) / (point - account);
    counted * (point - account) === isLive;
    count <== counted;

    signal rotationKey <== challenge[CH_ROTATION()] * payload;
    signal rotated;
    rotated <-- (isRotation) / (point - account - producedKey - rotationKey);
    rotated * (point - account - producedKey - rotationKey) === isRotation;
    rotation <== rotated;
}

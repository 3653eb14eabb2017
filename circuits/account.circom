// The leaf of an account: its balances as words, its hash, its salt and keystream.
//
//  1. BalancesMustBeWellFormed
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/poseidon.circom";
include "records.circom";
include "generated/params.circom";

// A list of balances as numbers and as the words of a leaf. size = |quantity|.
template Balances() {
    input Holdings() held;
    signal output word[BALANCE_WORD_COUNT()];
    signal output size[SLOT_COUNT() - 1];

    // 1. BalancesMustBeWellFormed: -2^55 <= quantity < 2^55, cash first
    component bits[SLOT_COUNT()];
    for (var i = 0; i < SLOT_COUNT(); i++) {
        bits[i] = OffsetBits(QUANTITY_BITS(), QUANTITY_OFFSET());
        bits[i].in <== held.quantity[i];
        if (i > 0) {
            size[i - 1] <== held.quantity[i] * (2 * bits[i].out[QUANTITY_BITS() - 1] - 1);
        }
    }
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        var sum = 0;
        for (var k = 0; k < 3; k++) {
            var slot = 3 * w + k;
            var number = slot == 0 ? CASH_ID() : held.id[slot - 1];
            sum += (number + (held.quantity[slot] + QUANTITY_OFFSET()) * (1 << INSTRUMENT_BITS()))
                * (1 << (84 * k));
        }
        word[w] <== sum;
    }
}

// Ids that keep their width: a leaf's word then unpacks in one way, so that the old balances are fixed
// by the old root, before any challenge. Free ids would be solved for after it.
template AssertIdsInRange() {
    signal input id[SLOT_COUNT() - 1];

    // 1. BalancesMustBeWellFormed: 0 <= id < 2^28
    component range[SLOT_COUNT() - 1];
    for (var i = 0; i < SLOT_COUNT() - 1; i++) {
        range[i] = AssertInRange(INSTRUMENT_BITS());
        range[i].in <== id[i];
    }
}

// Ids ascend and empties come last, so that a balance has one place only. A quantity in two slots
// could be converted or forced out by halves. Asked of the new list alone: an old one was once new.
template AssertAscending() {
    input Holdings() held;
    signal output highest;

    // 1. BalancesMustBeWellFormed: id 0 iff quantity 0, ids ascend, empties last, the last held one
    // keeps its width
    component isZero[SLOT_COUNT() - 1];
    component gap[SLOT_COUNT() - 1];
    var last = CASH_ID();
    for (var i = 0; i < SLOT_COUNT() - 1; i++) {
        isZero[i] = EqualsZero();
        isZero[i].in <== held.quantity[i + 1];
        isZero[i].out * held.id[i] === 0;
        var isHeld = 1 - isZero[i].out;
        if (i > 0) {
            isHeld * isZero[i - 1].out === 0;
        }
        gap[i] = AssertInRange(INSTRUMENT_BITS());
        gap[i].in <== isHeld * (held.id[i] - (i == 0 ? CASH_ID() : held.id[i - 1]) - 1);
        last += gap[i].in + isHeld;
    }
    component lastRange = AssertInRange(INSTRUMENT_BITS());
    lastRange.in <== last;
    highest <== last;
}

template Leaf() {
    signal input ownerKeyHash;
    signal input viewKeyHash;
    signal input head;
    signal input meta;
    signal input word[BALANCE_WORD_COUNT()];
    signal input salt;
    signal output out;
    component hash = Hash(TAG_LEAF(), 8 + BALANCE_WORD_COUNT());
    hash.in[0] <== ownerKeyHash;
    hash.in[1] <== viewKeyHash;
    hash.in[2] <== head;
    hash.in[3] <== meta;
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        hash.in[4 + w] <== word[w];
    }
    hash.in[4 + BALANCE_WORD_COUNT()] <== salt;
    for (var r = 0; r < 3; r++) {
        hash.in[5 + BALANCE_WORD_COUNT() + r] <== 0;
    }
    out <== hash.out;
}

// Salt and keystream of one account in one batch, from the view key whose hash the new leaf holds.
template Veil() {
    signal input viewKey;
    signal input index;
    signal input batchNumber;
    signal input batchNonce;
    signal output viewKeyHash;
    signal output salt;
    signal output stream[CIPHER_WORD_COUNT()];

    component keyHash = Hash(TAG_VIEW_KEY(), 1);
    keyHash.in <== [viewKey];
    viewKeyHash <== keyHash.out;
    component batchKey = Hash(TAG_BATCH_KEY(), 4);
    batchKey.in <== [viewKey, index, batchNumber, batchNonce];
    component saltHash = Hash(TAG_SALT(), 1);
    saltHash.in <== [batchKey.out];
    salt <== saltHash.out;
    component squeeze = Permute(CIPHER_WORD_COUNT(), CIPHER_WORD_COUNT() + 1);
    squeeze.capacity <== TAG_KEYSTREAM();
    squeeze.in[0] <== batchKey.out;
    for (var i = 1; i < CIPHER_WORD_COUNT(); i++) {
        squeeze.in[i] <== 0;
    }
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        stream[i] <== squeeze.out[i + 1];
    }
}

// A member's account in a batch: its leaf before and after, its keys, its solvency, its ciphertext.
//
//  1. LeafMustBeEmptyBeforeRegistration
//  2. BalancesMustBeWellFormed
//  3. OwnerKeyMustChangeByRule
//  4. ViewKeyMustBeHeld
//  5. HeadMustChangeByRule
//  6. SignatureMustMatch
//  7. CipherMustMatchLeaf
//  8. AccountMustBeSolvent
//  9. MetaMustChangeByRule
// 10. ForcedExitMustStandAlone
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/eddsa.circom";
include "lib/poseidon.circom";
include "generated/params.circom";

// A list of balances as numbers and as the words of a leaf. size = |quantity|.
template Balances() {
    signal input id[SLOT_COUNT() - 1];
    signal input quantity[SLOT_COUNT()];
    signal output word[BALANCE_WORD_COUNT()];
    signal output size[SLOT_COUNT() - 1];

    // 2. BalancesMustBeWellFormed: -2^55 <= quantity < 2^55, cash first
    component bits[SLOT_COUNT()];
    for (var i = 0; i < SLOT_COUNT(); i++) {
        bits[i] = OffsetBits(QUANTITY_BITS(), QUANTITY_OFFSET());
        bits[i].in <== quantity[i];
        if (i > 0) {
            size[i - 1] <== quantity[i] * (2 * bits[i].out[QUANTITY_BITS() - 1] - 1);
        }
    }
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        var sum = 0;
        for (var k = 0; k < 3; k++) {
            var slot = 3 * w + k;
            var number = slot == 0 ? CASH_ID() : id[slot - 1];
            sum += (number + (quantity[slot] + QUANTITY_OFFSET()) * (1 << INSTRUMENT_BITS()))
                * (1 << (84 * k));
        }
        word[w] <== sum;
    }
}

// Ids that keep their width: a leaf's word then unpacks in one way, so that the old balances are fixed
// by the old root, before any challenge. Free ids would be solved for after it.
template AssertIdsInRange() {
    signal input id[SLOT_COUNT() - 1];

    // 2. BalancesMustBeWellFormed: 0 <= id < 2^28
    component range[SLOT_COUNT() - 1];
    for (var i = 0; i < SLOT_COUNT() - 1; i++) {
        range[i] = AssertInRange(INSTRUMENT_BITS());
        range[i].in <== id[i];
    }
}

// Ids ascend and empties come last, so that a balance has one place only. A quantity in two slots
// could be converted or forced out by halves. Asked of the new list alone: an old one was once new.
template AssertAscending() {
    signal input id[SLOT_COUNT() - 1];
    signal input quantity[SLOT_COUNT()];
    signal output highest;

    // 2. BalancesMustBeWellFormed: id 0 iff quantity 0, ids ascend, empties last, the last held one
    // keeps its width
    component isZero[SLOT_COUNT() - 1];
    component gap[SLOT_COUNT() - 1];
    var last = CASH_ID();
    for (var i = 0; i < SLOT_COUNT() - 1; i++) {
        isZero[i] = EqualsZero();
        isZero[i].in <== quantity[i + 1];
        isZero[i].out * id[i] === 0;
        var isHeld = 1 - isZero[i].out;
        if (i > 0) {
            isHeld * isZero[i - 1].out === 0;
        }
        gap[i] = AssertInRange(INSTRUMENT_BITS());
        gap[i].in <== isHeld * (id[i] - (i == 0 ? CASH_ID() : id[i - 1]) - 1);
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

template Member() {
    // Public words.
    signal input time;
    signal input batchNumber;
    signal input batchNonce;
    signal input index;
    signal input leaf;
    signal input cipher[CIPHER_WORD_COUNT()];
    // Which named steps change this account.
    signal input isEmpty;
    signal input isRegistered;
    signal input isRotatedByL1;
    signal input isRotatedByPage;
    signal input isSigned;
    signal input isForced;
    // Whether a forced exit pays something, and what a flag step adds to meta: bound by their slots.
    signal input isPaid;
    signal input flagChange;
    signal input creditCount;
    // The leaf before.
    signal input oldOwnerKeyHash;
    signal input oldViewKeyHash;
    signal input oldHead;
    signal input oldMeta;
    signal input oldSalt;
    signal input oldId[SLOT_COUNT() - 1];
    signal input oldQuantity[SLOT_COUNT()];
    // The leaf after.
    signal input newOwnerKeyHash;
    signal input newHead;
    signal input viewKey;
    signal input newId[SLOT_COUNT() - 1];
    signal input newQuantity[SLOT_COUNT()];
    signal input signerX;
    signal input signerY;
    signal input signatureX;
    signal input signatureY;
    signal input signatureS;

    signal output oldLeaf;
    signal output newViewKeyHash;
    signal output oldSize[SLOT_COUNT() - 1];
    signal output newSize[SLOT_COUNT() - 1];
    signal output isPadding;
    signal output isActive;
    signal output status;
    signal output highestId;

    // Steps exclude each other where the protocol says so.
    component flag[5];
    var flags[5] = [isEmpty, isRegistered, isRotatedByL1, isRotatedByPage, isSigned];
    for (var i = 0; i < 5; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== flags[i];
    }

    // 1. LeafMustBeEmptyBeforeRegistration: register into an empty leaf; nothing else touches one. Its
    // head is zero: a free one could be chosen to make a denominator of the journal identity vanish.
    isRegistered * (1 - isEmpty) === 0;
    isEmpty * (isRotatedByL1 + isRotatedByPage + isSigned) === 0;
    isEmpty * oldHead === 0;
    isPadding <== isEmpty - isRegistered;

    component old = Balances();
    old.id <== oldId;
    old.quantity <== oldQuantity;
    component next = Balances();
    next.id <== newId;
    next.quantity <== newQuantity;
    component oldRange = AssertIdsInRange();
    oldRange.id <== oldId;
    component ascending = AssertAscending();
    ascending.id <== newId;
    ascending.quantity <== newQuantity;
    highestId <== ascending.highest;
    oldSize <== old.size;
    newSize <== next.size;
    // 2. BalancesMustBeWellFormed: an empty leaf holds nothing, before and as padding after
    var EMPTY = QUANTITY_OFFSET() * (1 << INSTRUMENT_BITS()) * (1 + (1 << 84) + (1 << 168));
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        var empty = EMPTY + (w == 0 ? CASH_ID() : 0);
        isEmpty * (old.word[w] - empty) === 0;
        isPadding * (next.word[w] - empty) === 0;
    }

    // 3. OwnerKeyMustChangeByRule: by registration, L1 rotation or rotation page, one at most; the
    // slot of that request or page binds the new key
    signal changesKey <== isRegistered + isRotatedByL1 + isRotatedByPage;
    changesKey * (changesKey - 1) === 0;
    signal keyDrift <== (1 - isPadding) * (newOwnerKeyHash - oldOwnerKeyHash);
    (1 - changesKey) * keyDrift === 0;
    // An L1 rotation wins: no page of that account in its batch.
    isRotatedByL1 * isSigned === 0;

    // 4. ViewKeyMustBeHeld: the new leaf's view key is opened; it changes by registration or page only
    component veil = Veil();
    veil.viewKey <== viewKey;
    veil.index <== index;
    veil.batchNumber <== batchNumber;
    veil.batchNonce <== batchNonce;
    newViewKeyHash <== veil.viewKeyHash;
    signal keepsView <== 1 - isRegistered - isRotatedByPage;
    signal viewDrift <== (1 - isPadding) * (newViewKeyHash - oldViewKeyHash);
    keepsView * viewDrift === 0;

    // 5. HeadMustChangeByRule: genesis at registration (bound by the request), then signed pages only
    signal headDrift <== (1 - isRegistered) * (newHead - oldHead);
    headDrift * (1 - isSigned) === 0;

    // 10. ForcedExitMustStandAlone: what is paid is counted from the account as it stands, so neither
    // pages nor deposits nor another request move it in the same batch
    component forcedFlag = AssertBoolean();
    forcedFlag.in <== isForced;
    isForced * (isEmpty + isRegistered + isRotatedByL1 + isSigned + creditCount) === 0;

    // 9. MetaMustChangeByRule: ACTIVE since registration; EXITING since a forced exit if it was ACTIVE,
    // or flagged and paid, which proves it cured; by a flag step, which stands alone; else as it was
    component meta = Bits(META_BITS());
    meta.in <== oldMeta;
    status <== meta.out[0] + 2 * meta.out[1] + 4 * meta.out[2];
    signal isOdd <== meta.out[0] * (1 - meta.out[1]);
    isActive <== isOdd * (1 - meta.out[2]);
    // CALLED and LIQUIDATING are 2 and 3; 6 and 7 do not exist.
    signal isFlagged <== meta.out[1] * (1 - meta.out[2]);
    signal leavesActive <== isForced * isActive;
    signal leavesFlagged <== isPaid * isFlagged;
    signal opening <== isRegistered * (ACTIVE() + time * 8 - oldMeta);
    signal leaving <== (leavesActive + leavesFlagged) * (EXITING() + time * 8 - oldMeta);
    flagChange * (isEmpty + isForced) === 0;
    var newMeta = oldMeta + opening + leaving + flagChange;

    // 6. SignatureMustMatch: the last head is signed under the owner key of the old leaf
    component signerHash = Hash(TAG_OWNER_KEY(), 3);
    signerHash.in <== [1, signerX, signerY];
    isSigned * (signerHash.out - oldOwnerKeyHash) === 0;
    component signature = AssertSignature();
    signature.enabled <== isSigned;
    signature.ax <== signerX;
    signature.ay <== signerY;
    signature.rx <== signatureX;
    signature.ry <== signatureY;
    signature.s <== signatureS;
    signature.message <== newHead;

    component before = Leaf();
    before.ownerKeyHash <== oldOwnerKeyHash;
    before.viewKeyHash <== oldViewKeyHash;
    before.head <== oldHead;
    before.meta <== oldMeta;
    before.word <== old.word;
    before.salt <== oldSalt;
    oldLeaf <== (1 - isEmpty) * before.out;

    component after = Leaf();
    after.ownerKeyHash <== newOwnerKeyHash;
    after.viewKeyHash <== newViewKeyHash;
    after.head <== newHead;
    after.meta <== newMeta;
    after.word <== next.word;
    after.salt <== veil.salt;
    // 7. CipherMustMatchLeaf: the published leaf and ciphertext are of the same new account
    leaf === (1 - isPadding) * after.out;
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        var plain = i == 0 ? newHead : (i == 1 ? newMeta : next.word[i < 2 ? 0 : i - 2]);
        cipher[i] === (1 - isPadding) * (plain + veil.stream[i]);
    }
}

// difference[s] = new worth in world s, less the old worth where a rescue slot says so.
template Solvency() {
    signal input difference[WORLD_COUNT()];
    signal input isRescue;

    // 8. AccountMustBeSolvent: in every world worth at least zero, or (a rescue) no less than before
    component notNegative[WORLD_COUNT()];
    for (var s = 0; s < WORLD_COUNT(); s++) {
        notNegative[s] = AssertInRange(WORLD_BITS());
        notNegative[s].in <== difference[s];
    }
    // One rescue slot at most.
    component rescue = AssertBoolean();
    rescue.in <== isRescue;
}

// A slot for one account that some world leaves below zero: there, the batch must not have made it
// worse. Old worth is claimed in these slots only.
template Rescue(MEMBERS) {
    signal input choice[MEMBERS];
    signal input isWorse[WORLD_COUNT()];

    // 8. AccountMustBeSolvent: a slot rescues one account at most
    component chosen[MEMBERS];
    var count = 0;
    for (var a = 0; a < MEMBERS; a++) {
        chosen[a] = AssertBoolean();
        chosen[a].in <== choice[a];
        count += choice[a];
    }
    component once = AssertBoolean();
    once.in <== count;
    component flag[WORLD_COUNT()];
    for (var s = 0; s < WORLD_COUNT(); s++) {
        flag[s] = AssertBoolean();
        flag[s].in <== isWorse[s];
    }
}

// The account that receives the fees: cash only, no owner key, no journal.
template FeeAccount() {
    signal input batchNumber;
    signal input batchNonce;
    signal input leaf;
    signal input cipher[CIPHER_WORD_COUNT()];
    signal input oldViewKeyHash;
    signal input oldMeta;
    signal input oldSalt;
    signal input oldCash;
    signal input fees;
    signal input viewKey;
    signal output oldLeaf;

    // 2. BalancesMustBeWellFormed: cash within its width, the other slots empty
    component cashBits = OffsetBits(QUANTITY_BITS(), QUANTITY_OFFSET());
    cashBits.in <== oldCash + fees;
    var EMPTY = QUANTITY_OFFSET() * (1 << INSTRUMENT_BITS()) * (1 + (1 << 84) + (1 << 168));
    var oldWord[BALANCE_WORD_COUNT()];
    var nextWord[BALANCE_WORD_COUNT()];
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        oldWord[w] = EMPTY + (w == 0 ? CASH_ID() + oldCash * (1 << INSTRUMENT_BITS()) : 0);
        nextWord[w] = EMPTY + (w == 0 ? CASH_ID() + (oldCash + fees) * (1 << INSTRUMENT_BITS()) : 0);
    }

    component veil = Veil();
    veil.viewKey <== viewKey;
    veil.index <== FEE_ACCOUNT_INDEX();
    veil.batchNumber <== batchNumber;
    veil.batchNonce <== batchNonce;
    // 4. ViewKeyMustBeHeld: the fee account keeps its view key
    veil.viewKeyHash === oldViewKeyHash;

    component before = Leaf();
    component after = Leaf();
    before.ownerKeyHash <== 0;
    after.ownerKeyHash <== 0;
    before.viewKeyHash <== oldViewKeyHash;
    after.viewKeyHash <== oldViewKeyHash;
    before.head <== 0;
    after.head <== 0;
    before.meta <== oldMeta;
    after.meta <== oldMeta;
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        before.word[w] <== oldWord[w];
        after.word[w] <== nextWord[w];
    }
    before.salt <== oldSalt;
    after.salt <== veil.salt;
    oldLeaf <== before.out;
    // 7. CipherMustMatchLeaf: as for a member
    leaf === after.out;
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        var plain = i == 0 ? 0 : (i == 1 ? oldMeta : nextWord[i < 2 ? 0 : i - 2]);
        cipher[i] === plain + veil.stream[i];
    }
}

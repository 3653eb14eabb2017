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

include "account.circom";
include "lib/bits.circom";
include "lib/eddsa.circom";
include "lib/poseidon.circom";
include "records.circom";
include "generated/params.circom";

template Member() {
    signal input time;
    signal input batchNumber;
    signal input batchNonce;
    input AccountWords() word;
    input AccountSlot() slot;
    signal input isRotatedByPage;
    signal input creditCount;

    signal output oldLeaf;
    signal output newViewKeyHash;
    signal output oldSize[SLOT_COUNT() - 1];
    signal output newSize[SLOT_COUNT() - 1];
    signal output isActive;
    signal output status;
    signal output highestId;

    // Steps exclude each other where the protocol says so.
    component flag[5];
    var flags[5] = [
        slot.isEmpty, slot.isRegistered, slot.isRotatedByL1, isRotatedByPage, slot.isSigned
    ];
    for (var i = 0; i < 5; i++) {
        flag[i] = AssertBoolean();
        flag[i].in <== flags[i];
    }

    // 1. LeafMustBeEmptyBeforeRegistration: register into an empty leaf; nothing else touches one. Its
    // head is zero: a free one could be chosen to make a denominator of the journal identity vanish.
    slot.isRegistered * (1 - slot.isEmpty) === 0;
    slot.isEmpty * (slot.isRotatedByL1 + isRotatedByPage + slot.isSigned) === 0;
    slot.isEmpty * slot.oldHead === 0;
    signal isPadding <== slot.isEmpty - slot.isRegistered;

    component old = Balances();
    old.held <== slot.old;
    component next = Balances();
    next.held <== slot.next;
    component oldRange = AssertIdsInRange();
    oldRange.id <== slot.old.id;
    component ascending = AssertAscending();
    ascending.held <== slot.next;
    highestId <== ascending.highest;
    oldSize <== old.size;
    newSize <== next.size;
    // 2. BalancesMustBeWellFormed: an empty leaf holds nothing, before and as padding after
    var EMPTY = QUANTITY_OFFSET() * (1 << INSTRUMENT_BITS()) * (1 + (1 << 84) + (1 << 168));
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        var empty = EMPTY + (w == 0 ? CASH_ID() : 0);
        slot.isEmpty * (old.word[w] - empty) === 0;
        isPadding * (next.word[w] - empty) === 0;
    }

    // 3. OwnerKeyMustChangeByRule: by registration, L1 rotation or rotation page, one at most; the
    // slot of that request or page binds the new key
    signal changesKey <== slot.isRegistered + slot.isRotatedByL1 + isRotatedByPage;
    changesKey * (changesKey - 1) === 0;
    signal keyDrift <== (1 - isPadding) * (slot.newOwnerKeyHash - slot.oldOwnerKeyHash);
    (1 - changesKey) * keyDrift === 0;
    // An L1 rotation wins: no page of that account in its batch.
    slot.isRotatedByL1 * slot.isSigned === 0;

    // 4. ViewKeyMustBeHeld: the new leaf's view key is opened; it changes by registration or page only
    component veil = Veil();
    veil.viewKey <== slot.viewKey;
    veil.index <== word.index;
    veil.batchNumber <== batchNumber;
    veil.batchNonce <== batchNonce;
    newViewKeyHash <== veil.viewKeyHash;
    signal keepsView <== 1 - slot.isRegistered - isRotatedByPage;
    signal viewDrift <== (1 - isPadding) * (newViewKeyHash - slot.oldViewKeyHash);
    keepsView * viewDrift === 0;

    // 5. HeadMustChangeByRule: genesis at registration (bound by the request), then signed pages only
    signal headDrift <== (1 - slot.isRegistered) * (slot.newHead - slot.oldHead);
    headDrift * (1 - slot.isSigned) === 0;

    // 10. ForcedExitMustStandAlone: what is paid is counted from the account as it stands, so neither
    // pages nor deposits nor another request move it in the same batch
    component forcedFlag = AssertBoolean();
    forcedFlag.in <== slot.isForced;
    var others = slot.isEmpty + slot.isRegistered + slot.isRotatedByL1 + slot.isSigned + creditCount;
    slot.isForced * others === 0;

    // 9. MetaMustChangeByRule: ACTIVE since registration; EXITING since a forced exit if it was ACTIVE,
    // or flagged and paid, which proves it cured; by a flag step, which stands alone; else as it was
    component meta = Bits(META_BITS());
    meta.in <== slot.oldMeta;
    status <== meta.out[0] + 2 * meta.out[1] + 4 * meta.out[2];
    signal isOdd <== meta.out[0] * (1 - meta.out[1]);
    isActive <== isOdd * (1 - meta.out[2]);
    // CALLED and LIQUIDATING are 2 and 3; 6 and 7 do not exist.
    signal isFlagged <== meta.out[1] * (1 - meta.out[2]);
    signal leavesActive <== slot.isForced * isActive;
    signal leavesFlagged <== slot.isPaid * isFlagged;
    signal opening <== slot.isRegistered * (ACTIVE() + time * 8 - slot.oldMeta);
    signal leaving <== (leavesActive + leavesFlagged) * (EXITING() + time * 8 - slot.oldMeta);
    slot.flagChange * (slot.isEmpty + slot.isForced) === 0;
    var newMeta = slot.oldMeta + opening + leaving + slot.flagChange;

    // 6. SignatureMustMatch: the last head is signed under the owner key of the old leaf
    component signerHash = Hash(TAG_OWNER_KEY(), 3);
    signerHash.in <== [1, slot.signerX, slot.signerY];
    slot.isSigned * (signerHash.out - slot.oldOwnerKeyHash) === 0;
    component signature = AssertSignature();
    signature.enabled <== slot.isSigned;
    signature.ax <== slot.signerX;
    signature.ay <== slot.signerY;
    signature.rx <== slot.signatureX;
    signature.ry <== slot.signatureY;
    signature.s <== slot.signatureS;
    signature.message <== slot.newHead;

    component before = Leaf();
    before.ownerKeyHash <== slot.oldOwnerKeyHash;
    before.viewKeyHash <== slot.oldViewKeyHash;
    before.head <== slot.oldHead;
    before.meta <== slot.oldMeta;
    before.word <== old.word;
    before.salt <== slot.oldSalt;
    oldLeaf <== (1 - slot.isEmpty) * before.out;

    component after = Leaf();
    after.ownerKeyHash <== slot.newOwnerKeyHash;
    after.viewKeyHash <== newViewKeyHash;
    after.head <== slot.newHead;
    after.meta <== newMeta;
    after.word <== next.word;
    after.salt <== veil.salt;
    // 7. CipherMustMatchLeaf: the published leaf and ciphertext are of the same new account
    word.leaf === (1 - isPadding) * after.out;
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        var plain = i == 0 ? slot.newHead : (i == 1 ? newMeta : next.word[i < 2 ? 0 : i - 2]);
        word.cipher[i] === (1 - isPadding) * (plain + veil.stream[i]);
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
    input RescueSlot(MEMBERS) slot;

    // 8. AccountMustBeSolvent: a slot rescues one account at most
    component chosen[MEMBERS];
    var count = 0;
    for (var a = 0; a < MEMBERS; a++) {
        chosen[a] = AssertBoolean();
        chosen[a].in <== slot.choice[a];
        count += slot.choice[a];
    }
    component once = AssertBoolean();
    once.in <== count;
    component flag[WORLD_COUNT()];
    for (var s = 0; s < WORLD_COUNT(); s++) {
        flag[s] = AssertBoolean();
        flag[s].in <== slot.isWorse[s];
    }
}

// The account that receives the fees: cash only, no owner key, no journal.
template FeeAccount() {
    signal input batchNumber;
    signal input batchNonce;
    input AccountWords() word;
    input FeeAccountSlot() slot;
    signal input fees;
    signal output oldLeaf;

    // 2. BalancesMustBeWellFormed: cash within its width, the other slots empty
    component cashBits = OffsetBits(QUANTITY_BITS(), QUANTITY_OFFSET());
    cashBits.in <== slot.cash + fees;
    var EMPTY = QUANTITY_OFFSET() * (1 << INSTRUMENT_BITS()) * (1 + (1 << 84) + (1 << 168));
    var oldWord[BALANCE_WORD_COUNT()];
    var nextWord[BALANCE_WORD_COUNT()];
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        oldWord[w] = EMPTY + (w == 0 ? CASH_ID() + slot.cash * (1 << INSTRUMENT_BITS()) : 0);
        nextWord[w] = EMPTY + (w == 0 ? CASH_ID() + (slot.cash + fees) * (1 << INSTRUMENT_BITS()) : 0);
    }

    component veil = Veil();
    veil.viewKey <== slot.viewKey;
    veil.index <== FEE_ACCOUNT_INDEX();
    veil.batchNumber <== batchNumber;
    veil.batchNonce <== batchNonce;
    // 4. ViewKeyMustBeHeld: the fee account keeps its view key
    veil.viewKeyHash === slot.viewKeyHash;

    component before = Leaf();
    component after = Leaf();
    before.ownerKeyHash <== 0;
    after.ownerKeyHash <== 0;
    before.viewKeyHash <== slot.viewKeyHash;
    after.viewKeyHash <== slot.viewKeyHash;
    before.head <== 0;
    after.head <== 0;
    before.meta <== slot.meta;
    after.meta <== slot.meta;
    for (var w = 0; w < BALANCE_WORD_COUNT(); w++) {
        before.word[w] <== oldWord[w];
        after.word[w] <== nextWord[w];
    }
    before.salt <== slot.salt;
    after.salt <== veil.salt;
    oldLeaf <== before.out;
    // 7. CipherMustMatchLeaf: as for a member
    word.leaf === after.out;
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        var plain = i == 0 ? 0 : (i == 1 ? slot.meta : nextWord[i < 2 ? 0 : i - 2]);
        word.cipher[i] === plain + veil.stream[i];
    }
}

// What crosses the edge to L1: deposits, withdrawals and requests.
//
//  1. DepositMustOpen
//  2. WithdrawalMustMatchPage
//  3. RequestMustBeServed
//  4. KeyMustBeInSubgroup
//  5. RotationMustEndItsJournal
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/eddsa.circom";
include "lib/poseidon.circom";
include "records.circom";
include "generated/params.circom";

// One of MEMBERS places, or none: exactly isUsed of the choices is one.
template Choice(MEMBERS) {
    signal input isUsed;
    signal input choice[MEMBERS];
    signal input index[MEMBERS];
    signal output chosen;
    component flag[MEMBERS];
    signal product[MEMBERS];
    var count = 0;
    var sum = 0;
    for (var a = 0; a < MEMBERS; a++) {
        flag[a] = AssertBoolean();
        flag[a].in <== choice[a];
        count += choice[a];
        product[a] <== choice[a] * index[a];
        sum += product[a];
    }
    count === isUsed;
    chosen <== sum;
}

template Deposit(MEMBERS) {
    input DepositWords() word;
    input DepositSlot(MEMBERS) slot;
    signal input index[MEMBERS];
    signal output account;

    // 1. DepositMustOpen: the commitment of L1 opens to the credited account
    component isUnused = EqualsZero();
    isUnused.in <== word.commitment;
    signal isUsed <== 1 - isUnused.out;
    component place = Choice(MEMBERS);
    place.isUsed <== isUsed;
    place.choice <== slot.choice;
    place.index <== index;
    account <== place.chosen;
    component opening = Hash(TAG_DEPOSIT(), 2);
    opening.in <== [account, slot.secret];
    isUsed * (opening.out - word.commitment) === 0;
    component amountRange = AssertInRange(AMOUNT_BITS());
    amountRange.in <== word.amount;
    component tokenRange = AssertInRange(TOKEN_BITS());
    tokenRange.in <== word.token;
    isUnused.out * word.amount === 0;
}

template Withdrawal(MEMBERS) {
    input WithdrawalWords() word;
    input WithdrawalSlot(MEMBERS) slot;
    signal input index[MEMBERS];
    signal input isRescue[MEMBERS];
    signal output account;

    // 2. WithdrawalMustMatchPage: amounts keep their width; who withdraws is solvent without rescue
    component isUnused = EqualsZero();
    isUnused.in <== word.token;
    component place = Choice(MEMBERS);
    place.isUsed <== 1 - isUnused.out;
    place.choice <== slot.choice;
    place.index <== index;
    account <== place.chosen;
    for (var a = 0; a < MEMBERS; a++) {
        slot.choice[a] * isRescue[a] === 0;
    }
    component amountRange = AssertInRange(AMOUNT_BITS());
    amountRange.in <== word.amount;
    component tokenRange = AssertInRange(TOKEN_BITS());
    tokenRange.in <== word.token;
    isUnused.out * word.amount === 0;
    isUnused.out * word.to === 0;
}

// The terms with which a withdrawal answers the page that asked for it: the house, index 0, is the
// counterparty, so the product of the two indices is 0 and their sum the account.
template WithdrawalTerms() {
    signal input challenge[17];
    input WithdrawalWords() word;
    signal input account;
    signal input stamp;
    signal output pair;

    signal stampKey <== challenge[CH_STAMP()] * (stamp * 4 + 2);
    signal payloadKey <== challenge[CH_PAYLOAD()] * word.to;
    signal tokenKey <== challenge[CH_PAIR_INSTRUMENT()] * word.token;
    var key = account + stampKey + payloadKey;
    signal moved <-- word.amount / (challenge[CH_POINT()] - key - tokenKey);
    moved * (challenge[CH_POINT()] - key - tokenKey) === word.amount;
    // account is 0 in an unused slot, which is then present nowhere.
    signal present <-- -account / (challenge[CH_POINT()] - key - challenge[CH_PRESENCE()]);
    present * (challenge[CH_POINT()] - key - challenge[CH_PRESENCE()]) === -account;
    pair <== moved + present;
}

// 8 * (x, y) is the key to install; the base point stands in where nothing is installed.
template InstalledKey() {
    signal input isUsed;
    signal input x;
    signal input y;
    signal output hash;

    // 4. KeyMustBeInSubgroup: eight times a point of the curve, and not the identity
    var BASE_X = 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    var BASE_Y = 16950150798460657717958625567821834550301663161624707787222815936182638968203;
    component onCurve = BabyCheck();
    onCurve.x <== x + (1 - isUsed) * BASE_X;
    onCurve.y <== y + (1 - isUsed) * BASE_Y;
    component installed = TimesEight();
    installed.x <== x + (1 - isUsed) * BASE_X;
    installed.y <== y + (1 - isUsed) * BASE_Y;
    component notIdentity = AssertNonZero();
    notIdentity.in <== installed.xOut;
    component keyHash = Hash(TAG_OWNER_KEY(), 3);
    keyHash.in <== [1, installed.xOut, installed.yOut];
    hash <== keyHash.out;
    (1 - isUsed) * x === 0;
    (1 - isUsed) * y === 0;
}

// A request of L1. What the account that serves it becomes is compared with what is asked for.
template Request(MEMBERS) {
    signal input domain;
    input RequestWords() word;
    input RequestSlot(MEMBERS) slot;
    signal input index[MEMBERS];
    signal input newOwnerKeyHash[MEMBERS];
    signal input newViewKeyHash[MEMBERS];
    signal input newHead[MEMBERS];
    signal output isRegister;
    signal output isForced;
    signal output registers[MEMBERS];
    signal output rotates[MEMBERS];
    signal output forces[MEMBERS];

    // 3. RequestMustBeServed: each request is served by the account it names, with its own data
    component serialRange = AssertInRange(64);
    serialRange.in <== slot.serial;
    component kindBits = Bits(2);
    kindBits.in <== word.kindAndSerial - slot.serial * 8;
    isForced <== kindBits.out[0] * kindBits.out[1];
    isRegister <== kindBits.out[0] - isForced;
    signal isKey <== kindBits.out[0] + kindBits.out[1] - 2 * isForced;
    signal isUsed <== isKey + isForced;
    component place = Choice(MEMBERS);
    place.isUsed <== isUsed;
    place.choice <== slot.choice;
    place.index <== index;
    place.chosen === word.account;
    component key = InstalledKey();
    key.isUsed <== isKey;
    key.x <== isKey * word.data[0];
    key.y <== isKey * word.data[1];
    component genesis = Hash(TAG_GENESIS(), 3);
    genesis.in <== [domain, word.account, key.hash];
    // 3. RequestMustBeServed: keys and heads are those asked for, words without a meaning are zero
    signal keys[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        keys[a] <== slot.choice[a] * isKey;
        keys[a] * (newOwnerKeyHash[a] - key.hash) === 0;
        registers[a] <== slot.choice[a] * isRegister;
        registers[a] * (newViewKeyHash[a] - word.data[2]) === 0;
        registers[a] * (newHead[a] - genesis.out) === 0;
        rotates[a] <== keys[a] - registers[a];
        forces[a] <== slot.choice[a] - keys[a];
    }
    (1 - isUsed) * word.data[0] === 0;
    (1 - isUsed) * word.data[1] === 0;
    (1 - isRegister - isForced) * word.data[2] === 0;
    (1 - isUsed) * slot.serial === 0;
    (1 - isForced) * word.data[3] === 0;
}

// The key change that a live rotation page asks for.
template Rotation(MEMBERS) {
    input RotationSlot(MEMBERS) slot;
    signal input index[MEMBERS];
    signal input newOwnerKeyHash[MEMBERS];
    signal input newViewKeyHash[MEMBERS];
    signal input newHead[MEMBERS];
    output RotationFacts() fact;

    // 5. RotationMustEndItsJournal: the page's payload is the new keys, its head the account's last
    component place = Choice(MEMBERS);
    place.isUsed <== slot.isUsed;
    place.choice <== slot.choice;
    place.index <== index;
    fact.account <== place.chosen;
    component key = InstalledKey();
    key.isUsed <== slot.isUsed;
    key.x <== slot.x;
    key.y <== slot.y;
    signal view[MEMBERS];
    signal last[MEMBERS];
    var viewSum = 0;
    var headSum = 0;
    for (var a = 0; a < MEMBERS; a++) {
        slot.choice[a] * (newOwnerKeyHash[a] - key.hash) === 0;
        view[a] <== slot.choice[a] * newViewKeyHash[a];
        last[a] <== slot.choice[a] * newHead[a];
        viewSum += view[a];
        headSum += last[a];
    }
    fact.head <== headSum;
    component hash = Hash(TAG_ROTATION(), 2);
    hash.in <== [key.hash, viewSum];
    fact.payload <== hash.out;
}

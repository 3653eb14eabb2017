// What crosses the edge to L1: deposits, withdrawals and requests.
//
//  1. DepositMustOpen
//  2. WithdrawalMustMatchPage
//  3. RequestMustBeServed
pragma circom 2.2.0;

include "lib/bits.circom";
include "lib/poseidon.circom";
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
    signal input commitment;
    signal input token;
    signal input amount;
    signal input secret;
    signal input choice[MEMBERS];
    signal input index[MEMBERS];
    signal output account;

    // 1. DepositMustOpen: the commitment of L1 opens to the credited account
    component isUnused = EqualsZero();
    isUnused.in <== commitment;
    signal isUsed <== 1 - isUnused.out;
    component place = Choice(MEMBERS);
    place.isUsed <== isUsed;
    place.choice <== choice;
    place.index <== index;
    account <== place.chosen;
    component opening = Hash(TAG_DEPOSIT(), 2);
    opening.in <== [account, secret];
    isUsed * (opening.out - commitment) === 0;
    component amountRange = AssertInRange(AMOUNT_BITS());
    amountRange.in <== amount;
    component tokenRange = AssertInRange(TOKEN_BITS());
    tokenRange.in <== token;
    isUnused.out * amount === 0;
}

template Withdrawal(MEMBERS) {
    signal input token;
    signal input amount;
    signal input to;
    signal input stamp;
    signal input choice[MEMBERS];
    signal input index[MEMBERS];
    signal input isRescue[MEMBERS];
    signal output account;
    signal output isUsed;

    // 2. WithdrawalMustMatchPage: amounts keep their width; who withdraws is solvent without rescue
    component isUnused = EqualsZero();
    isUnused.in <== token;
    isUsed <== 1 - isUnused.out;
    component place = Choice(MEMBERS);
    place.isUsed <== isUsed;
    place.choice <== choice;
    place.index <== index;
    account <== place.chosen;
    for (var a = 0; a < MEMBERS; a++) {
        choice[a] * isRescue[a] === 0;
    }
    component amountRange = AssertInRange(AMOUNT_BITS());
    amountRange.in <== amount;
    component tokenRange = AssertInRange(TOKEN_BITS());
    tokenRange.in <== token;
    isUnused.out * amount === 0;
    isUnused.out * to === 0;
}

// The terms with which a withdrawal answers the page that asked for it: the house, index 0, is the
// counterparty, so the product of the two indices is 0 and their sum the account.
template WithdrawalTerms() {
    signal input challenge[17];
    signal input isUsed;
    signal input account;
    signal input token;
    signal input amount;
    signal input to;
    signal input stamp;
    signal output pair;

    signal stampKey <== challenge[CH_STAMP()] * (stamp * 4 + 2);
    signal payloadKey <== challenge[CH_PAYLOAD()] * to;
    signal tokenKey <== challenge[CH_PAIR_INSTRUMENT()] * token;
    var key = account + stampKey + payloadKey;
    signal moved <-- amount / (challenge[CH_POINT()] - key - tokenKey);
    moved * (challenge[CH_POINT()] - key - tokenKey) === amount;
    // account is 0 in an unused slot, which is then present nowhere.
    signal present <-- -account / (challenge[CH_POINT()] - key - challenge[CH_PRESENCE()]);
    present * (challenge[CH_POINT()] - key - challenge[CH_PRESENCE()]) === -account;
    pair <== moved + present;
}

// A request of L1: words kind + 8 * serial, account, and four of data.
template Request(MEMBERS) {
    signal input word[6];
    signal input serial;
    signal input choice[MEMBERS];
    signal input index[MEMBERS];
    signal input keyX[MEMBERS];
    signal input keyY[MEMBERS];
    signal input newViewKeyHash[MEMBERS];
    signal output isRegister;
    signal output isRotate;

    // 3. RequestMustBeServed: each request is served by the account it names, with its own data
    component serialRange = AssertInRange(64);
    serialRange.in <== serial;
    component kindBits = Bits(2);
    kindBits.in <== word[0] - serial * 8;
    kindBits.out[0] * kindBits.out[1] === 0;
    isRegister <== kindBits.out[0];
    isRotate <== kindBits.out[1];
    signal isUsed <== isRegister + isRotate;
    component place = Choice(MEMBERS);
    place.isUsed <== isUsed;
    place.choice <== choice;
    place.index <== index;
    place.chosen === word[1];
    signal registers[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        choice[a] * (keyX[a] - word[2]) === 0;
        choice[a] * (keyY[a] - word[3]) === 0;
        registers[a] <== choice[a] * isRegister;
        registers[a] * (newViewKeyHash[a] - word[4]) === 0;
    }
    (1 - isUsed) * (word[1] + word[2]) === 0;
    word[5] === 0;
}

// The edges of a batch: each deposit, withdrawal, request, rotation and reduction has its account.
//
//  1. RequestMustBeServed
//  2. CountMustFollowRegistrations
//  3. RotationMustEndItsJournal
pragma circom 2.2.0;

include "edges.circom";
include "lib/bits.circom";
include "records.circom";
include "reduction.circom";

template Edges(MEMBERS, DEPOSITS, WITHDRAWALS, REQUESTS, ROTATIONS, REDUCTIONS) {
    input Words(MEMBERS, DEPOSITS, REQUESTS, WITHDRAWALS) words;
    input AccountSlot() account[MEMBERS];
    input AccountFacts() fact[MEMBERS];
    input DepositSlot(MEMBERS) depositSlot[DEPOSITS];
    input WithdrawalSlot(MEMBERS) withdrawalSlot[WITHDRAWALS];
    input RequestSlot(MEMBERS) requestSlot[REQUESTS];
    input RotationSlot(MEMBERS) rotationSlot[ROTATIONS];
    input ReductionSlot(MEMBERS) reductionSlot[REDUCTIONS];
    signal output depositAccount[DEPOSITS];
    signal output withdrawalAccount[WITHDRAWALS];
    signal output isForced[REQUESTS];
    output RotationFacts() rotationFact[ROTATIONS];
    output ReductionFacts() reductionFact[REDUCTIONS];

    component deposit[DEPOSITS];
    for (var d = 0; d < DEPOSITS; d++) {
        deposit[d] = Deposit(MEMBERS);
        deposit[d].word <== words.deposit[d];
        deposit[d].slot <== depositSlot[d];
        for (var a = 0; a < MEMBERS; a++) {
            deposit[d].index[a] <== words.account[a].index;
        }
        depositAccount[d] <== deposit[d].account;
    }

    component withdrawal[WITHDRAWALS];
    for (var w = 0; w < WITHDRAWALS; w++) {
        withdrawal[w] = Withdrawal(MEMBERS);
        withdrawal[w].word <== words.withdrawal[w];
        withdrawal[w].slot <== withdrawalSlot[w];
        for (var a = 0; a < MEMBERS; a++) {
            withdrawal[w].index[a] <== words.account[a].index;
            withdrawal[w].isRescue[a] <== fact[a].isRescue;
        }
        withdrawalAccount[w] <== withdrawal[w].account;
    }

    component request[REQUESTS];
    var registrations = 0;
    var registered[MEMBERS];
    var rotated[MEMBERS];
    var forced[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        registered[a] = 0;
        rotated[a] = 0;
        forced[a] = 0;
    }
    for (var q = 0; q < REQUESTS; q++) {
        request[q] = Request(MEMBERS);
        request[q].domain <== words.header.domain;
        request[q].word <== words.request[q];
        request[q].slot <== requestSlot[q];
        for (var a = 0; a < MEMBERS; a++) {
            request[q].index[a] <== words.account[a].index;
            request[q].newOwnerKeyHash[a] <== account[a].newOwnerKeyHash;
            request[q].newViewKeyHash[a] <== fact[a].newViewKeyHash;
            request[q].newHead[a] <== account[a].newHead;
        }
        for (var a = 0; a < MEMBERS; a++) {
            registered[a] += request[q].registers[a];
            rotated[a] += request[q].rotates[a];
            forced[a] += request[q].forces[a];
        }
        isForced[q] <== request[q].isForced;
        registrations += request[q].isRegister;
    }
    // 1. RequestMustBeServed: nobody is registered, rotated or paid out without one
    for (var a = 0; a < MEMBERS; a++) {
        registered[a] === account[a].isRegistered;
        rotated[a] === account[a].isRotatedByL1;
        forced[a] === account[a].isForced;
    }
    // 2. CountMustFollowRegistrations
    words.header.accountCountAfter === words.header.accountCountBefore + registrations;

    // 3. RotationMustEndItsJournal: a slot is used or not
    component rotation[ROTATIONS];
    component isRotation[ROTATIONS];
    for (var k = 0; k < ROTATIONS; k++) {
        isRotation[k] = AssertBoolean();
        isRotation[k].in <== rotationSlot[k].isUsed;
        rotation[k] = Rotation(MEMBERS);
        rotation[k].slot <== rotationSlot[k];
        for (var a = 0; a < MEMBERS; a++) {
            rotation[k].index[a] <== words.account[a].index;
            rotation[k].newOwnerKeyHash[a] <== account[a].newOwnerKeyHash;
            rotation[k].newViewKeyHash[a] <== fact[a].newViewKeyHash;
            rotation[k].newHead[a] <== account[a].newHead;
        }
        rotationFact[k] <== rotation[k].fact;
    }

    component reduction[REDUCTIONS];
    for (var t = 0; t < REDUCTIONS; t++) {
        reduction[t] = Reduction(MEMBERS);
        reduction[t].slot <== reductionSlot[t];
        for (var a = 0; a < MEMBERS; a++) {
            reduction[t].index[a] <== words.account[a].index;
        }
        reductionFact[t] <== reduction[t].fact;
    }
}

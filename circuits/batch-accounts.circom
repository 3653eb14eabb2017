// The accounts of a batch, one by one: leaf, solvency, fee, and what others need to know of them.
//
//  1. AccountMustBeSolvent
//  2. ConversionMustBeExact
//  3. ReduceOnlyMustReduce
pragma circom 2.2.0;

include "lib/bits.circom";
include "member.circom";
include "records.circom";
include "generated/params.circom";

template Accounts(MEMBERS, DEPOSITS, ROTATIONS, RESCUES) {
    input Header() header;
    input AccountWords() word[MEMBERS];
    input AccountSlot() slot[MEMBERS];
    input Claim() claim[MEMBERS];
    input DepositSlot(MEMBERS) deposit[DEPOSITS];
    input RotationSlot(MEMBERS) rotation[ROTATIONS];
    input RescueSlot(MEMBERS) rescue[RESCUES];
    output AccountFacts() fact[MEMBERS];
    signal output fees;

    component member[MEMBERS];
    component solvency[MEMBERS];
    component isConverted[MEMBERS][SLOT_COUNT() - 1];
    component isReduced[MEMBERS][SLOT_COUNT() - 1];
    component liveCount[MEMBERS];
    signal isRescue[MEMBERS];
    signal isFree[MEMBERS];
    signal feeCount[MEMBERS];
    signal feePaid[MEMBERS];
    var feeSum = 0;
    for (var a = 0; a < MEMBERS; a++) {
        var credits = 0;
        for (var d = 0; d < DEPOSITS; d++) {
            credits += deposit[d].choice[a];
        }
        var rotations = 0;
        for (var k = 0; k < ROTATIONS; k++) {
            rotations += rotation[k].choice[a];
        }
        member[a] = Member();
        member[a].time <== header.time;
        member[a].batchNumber <== header.batchNumber;
        member[a].batchNonce <== header.batchNonce;
        member[a].word <== word[a];
        member[a].slot <== slot[a];
        member[a].isRotatedByPage <== rotations;
        member[a].creditCount <== credits;

        // 1. AccountMustBeSolvent: in every world, or rescued by a slot
        var rescues = 0;
        for (var k = 0; k < RESCUES; k++) {
            rescues += rescue[k].choice[a];
        }
        isRescue[a] <== rescues;
        solvency[a] = Solvency();
        solvency[a].difference <== claim[a].difference;
        solvency[a].isRescue <== isRescue[a];

        for (var i = 0; i < SLOT_COUNT() - 1; i++) {
            // 2. ConversionMustBeExact: a balance is converted or not
            isConverted[a][i] = AssertBoolean();
            isConverted[a][i].in <== claim[a].isConverted[i];
            // 3. ReduceOnlyMustReduce: a balance is named as reduced or not
            isReduced[a][i] = AssertBoolean();
            isReduced[a][i].in <== claim[a].isReduced[i];
        }
        // Reduce-only: all that is not active, or everybody. Without pages nothing trades.
        isFree[a] <== member[a].isActive * (1 - header.mode);

        // An account that is rescued pays no fee, which could make a negative world worse.
        liveCount[a] = Bits(LIVE_COUNT_BITS());
        liveCount[a].in <== claim[a].liveCount;
        feeCount[a] <== claim[a].liveCount * (1 - isRescue[a]);
        feePaid[a] <== feeCount[a] * header.fee;
        feeSum += feePaid[a];

        fact[a].oldLeaf <== member[a].oldLeaf;
        fact[a].newViewKeyHash <== member[a].newViewKeyHash;
        fact[a].oldSize <== member[a].oldSize;
        fact[a].newSize <== member[a].newSize;
        fact[a].status <== member[a].status;
        fact[a].highestId <== member[a].highestId;
        fact[a].isRescue <== isRescue[a];
        fact[a].isReduceOnly <== slot[a].isSigned * (1 - isFree[a]);
        fact[a].liveCountBit <== liveCount[a].out;
        fact[a].feePaid <== feePaid[a];
    }
    fees <== feeSum;

    // 1. AccountMustBeSolvent: each slot rescues one account at most
    component slots[RESCUES];
    for (var k = 0; k < RESCUES; k++) {
        slots[k] = Rescue(MEMBERS);
        slots[k].slot <== rescue[k];
    }
}

// Flags: who is called or liquidated since its maintenance is broken, and who is released again.
//
//  1. CallMustBeProven
//  2. ReleaseMustBeProven
//  3. MetaMustChangeByRule
pragma circom 2.2.0;

include "lib/bits.circom";
include "records.circom";
include "swept-account.circom";
include "generated/params.circom";

// Sets the flag of the account that a rescue slot holds, or does nothing. Who breaks maintenance is
// below zero in some world, so every account that may be called is in a rescue slot anyway. Nothing
// here is drawn from a challenge: the leaf carries what comes of it.
template Call(MEMBERS) {
    signal input time;
    signal input mode;
    signal input tableRoot;
    signal input confirmedTableRoot;
    input CallSlot() slot;
    input RescueSlot(MEMBERS) rescue;
    // Of the accounts.
    signal input status[MEMBERS];
    signal input meta[MEMBERS];
    signal input difference[MEMBERS][WORLD_COUNT()];
    signal output change[MEMBERS];

    // 1. CallMustBeProven: one step at most, from the status that it starts at
    component stepFlag[3];
    for (var i = 0; i < 3; i++) {
        stepFlag[i] = AssertBoolean();
        stepFlag[i].in <== slot.isStep[i];
    }
    signal isUsed <== slot.isStep[0] + slot.isStep[1] + slot.isStep[2];
    isUsed * (isUsed - 1) === 0;
    signal statusPart[MEMBERS];
    signal metaPart[MEMBERS];
    var oldStatus = 0;
    var oldMeta = 0;
    for (var a = 0; a < MEMBERS; a++) {
        statusPart[a] <== rescue.choice[a] * status[a];
        metaPart[a] <== rescue.choice[a] * meta[a];
        oldStatus += statusPart[a];
        oldMeta += metaPart[a];
    }
    isUsed * oldStatus === slot.isStep[0] * ACTIVE() + slot.isStep[1] * EXITING()
        + slot.isStep[2] * CALLED();

    // 1. CallMustBeProven: at a confirmed table; LIQUIDATING in normal mode only, CALL_SECONDS after
    // the call. A liquidation step in meta, which no rule sets, would count as the far future.
    isUsed * (tableRoot - confirmedTableRoot) === 0;
    slot.isStep[2] * mode === 0;
    component elapsed = AssertInRange(TIME_BITS());
    elapsed.in <== slot.isStep[2] * (time - CALL_SECONDS() - (oldMeta - CALLED()) * (1 / 8));

    // 1. CallMustBeProven: after the batch the margin of the named world is below zero, in fifths and
    // scaled as the sweep has it. |margin| < 2^110.6
    signal part[WORLD_COUNT()][MEMBERS];
    signal old[WORLD_COUNT()];
    var worth[WORLD_COUNT()];
    for (var s = 0; s < WORLD_COUNT(); s++) {
        old[s] <== rescue.isWorse[s] * rescue.oldWorth[s];
        worth[s] = old[s];
        for (var a = 0; a < MEMBERS; a++) {
            part[s][a] <== rescue.choice[a] * difference[a][s];
            worth[s] += part[s][a];
        }
    }
    component worldFlag[MARGIN_COUNT()];
    signal named[MARGIN_COUNT()];
    var worlds = 0;
    var margin = 0;
    for (var s = 0; s < MARGIN_COUNT(); s++) {
        worldFlag[s] = AssertBoolean();
        worldFlag[s].in <== slot.world[s];
        worlds += slot.world[s];
        named[s] <== slot.world[s]
            * (s == MARGIN_COUNT() - 1 ? 5 * worth[s + 1] : worth[0] + 4 * worth[s + 1]);
        margin += named[s];
    }
    worlds === isUsed;
    component broken = AssertInRange(MARGIN_BITS());
    broken.in <== -margin - isUsed;

    // 1. CallMustBeProven: the flag's clock starts with the batch
    signal start <== isUsed * (time * 8 - oldMeta);
    var next = (slot.isStep[0] + slot.isStep[1]) * CALLED() + slot.isStep[2] * LIQUIDATING();
    for (var a = 0; a < MEMBERS; a++) {
        change[a] <== rescue.choice[a] * (start + next);
    }
}

// Makes one account ACTIVE again, or none.
template Release(MEMBERS) {
    signal input time;
    signal input mode;
    input ReleaseSlot(MEMBERS) slot;
    // Of the accounts.
    signal input status[MEMBERS];
    signal input meta[MEMBERS];
    signal input isRescue[MEMBERS];
    signal input highestId[MEMBERS];
    signal output change[MEMBERS];

    // 2. ReleaseMustBeProven: one account and one step at most, from the status that it starts at
    component stepFlag[3];
    for (var i = 0; i < 3; i++) {
        stepFlag[i] = AssertBoolean();
        stepFlag[i].in <== slot.isStep[i];
    }
    component flag[MEMBERS];
    signal statusPart[MEMBERS];
    signal metaPart[MEMBERS];
    signal rescuePart[MEMBERS];
    signal idPart[MEMBERS];
    var count = 0;
    var oldStatus = 0;
    var oldMeta = 0;
    var rescued = 0;
    var highest = 0;
    for (var a = 0; a < MEMBERS; a++) {
        flag[a] = AssertBoolean();
        flag[a].in <== slot.choice[a];
        statusPart[a] <== slot.choice[a] * status[a];
        metaPart[a] <== slot.choice[a] * meta[a];
        rescuePart[a] <== slot.choice[a] * isRescue[a];
        idPart[a] <== slot.choice[a] * highestId[a];
        count += slot.choice[a];
        oldStatus += statusPart[a];
        oldMeta += metaPart[a];
        rescued += rescuePart[a];
        highest += idPart[a];
    }
    signal isUsed <== count;
    isUsed * (isUsed - 1) === 0;
    slot.isStep[0] + slot.isStep[1] + slot.isStep[2] === isUsed;
    oldStatus === slot.isStep[0] * CALLED() + slot.isStep[1] * LIQUIDATING()
        + slot.isStep[2] * EXITING();

    // 2. ReleaseMustBeProven: in normal mode, every world at least zero after the batch: nobody who
    // needed a rescue; and who was leaving holds tokens only
    isUsed * mode === 0;
    rescued === 0;
    component isFlat = AssertInRange(TOKEN_BITS());
    isFlat.in <== slot.isStep[2] * highest;

    signal start <== isUsed * (ACTIVE() + time * 8);
    for (var a = 0; a < MEMBERS; a++) {
        change[a] <== slot.choice[a] * (start - oldMeta);
    }
}

// The flag steps of a batch.
template FlagSteps(MEMBERS, RESCUES, RELEASES) {
    signal input time;
    signal input mode;
    signal input tableRoot;
    signal input confirmedTableRoot;
    input CallSlot() callSlot[RESCUES];
    input ReleaseSlot(MEMBERS) releaseSlot[RELEASES];
    input RescueSlot(MEMBERS) rescue[RESCUES];
    input AccountSlot() account[MEMBERS];
    input Claim() claim[MEMBERS];
    input AccountFacts() fact[MEMBERS];

    component call[RESCUES];
    component release[RELEASES];
    var change[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        change[a] = 0;
    }
    for (var k = 0; k < RESCUES; k++) {
        call[k] = Call(MEMBERS);
        call[k].time <== time;
        call[k].mode <== mode;
        call[k].tableRoot <== tableRoot;
        call[k].confirmedTableRoot <== confirmedTableRoot;
        call[k].slot <== callSlot[k];
        call[k].rescue <== rescue[k];
        for (var a = 0; a < MEMBERS; a++) {
            call[k].status[a] <== fact[a].status;
            call[k].meta[a] <== account[a].oldMeta;
            call[k].difference[a] <== claim[a].difference;
        }
        for (var a = 0; a < MEMBERS; a++) {
            change[a] += call[k].change[a];
        }
    }
    for (var k = 0; k < RELEASES; k++) {
        release[k] = Release(MEMBERS);
        release[k].time <== time;
        release[k].mode <== mode;
        release[k].slot <== releaseSlot[k];
        for (var a = 0; a < MEMBERS; a++) {
            release[k].status[a] <== fact[a].status;
            release[k].meta[a] <== account[a].oldMeta;
            release[k].isRescue[a] <== fact[a].isRescue;
            release[k].highestId[a] <== fact[a].highestId;
        }
        for (var a = 0; a < MEMBERS; a++) {
            change[a] += release[k].change[a];
        }
    }
    // 3. MetaMustChangeByRule: by the flag steps of the slots, one release at most
    for (var a = 0; a < MEMBERS; a++) {
        var releases = 0;
        for (var k = 0; k < RELEASES; k++) {
            releases += releaseSlot[k].choice[a];
        }
        releases * (releases - 1) === 0;
        change[a] === account[a].flagChange;
    }
}

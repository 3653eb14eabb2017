// Flags: who is called or liquidated since its maintenance is broken, and who is released again.
//
//  1. CallMustBeProven
//  2. ReleaseMustBeProven
pragma circom 2.2.0;

include "lib/bits.circom";
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
    // Named by the prover: ACTIVE to CALLED, EXITING to CALLED, CALLED to LIQUIDATING; the world.
    signal input isStep[3];
    signal input worldChoice[MARGIN_COUNT()];
    // Of the rescue slot, and of the accounts.
    signal input choice[MEMBERS];
    signal input isWorse[WORLD_COUNT()];
    signal input oldWorth[WORLD_COUNT()];
    signal input status[MEMBERS];
    signal input meta[MEMBERS];
    signal input difference[MEMBERS][WORLD_COUNT()];
    signal output change[MEMBERS];

    // 1. CallMustBeProven: one step at most, from the status that it starts at
    component stepFlag[3];
    for (var i = 0; i < 3; i++) {
        stepFlag[i] = AssertBoolean();
        stepFlag[i].in <== isStep[i];
    }
    signal isUsed <== isStep[0] + isStep[1] + isStep[2];
    isUsed * (isUsed - 1) === 0;
    signal statusPart[MEMBERS];
    signal metaPart[MEMBERS];
    var oldStatus = 0;
    var oldMeta = 0;
    for (var a = 0; a < MEMBERS; a++) {
        statusPart[a] <== choice[a] * status[a];
        metaPart[a] <== choice[a] * meta[a];
        oldStatus += statusPart[a];
        oldMeta += metaPart[a];
    }
    isUsed * oldStatus === isStep[0] * ACTIVE() + isStep[1] * EXITING() + isStep[2] * CALLED();

    // 1. CallMustBeProven: at a confirmed table; LIQUIDATING in normal mode only, CALL_SECONDS after
    // the call. A liquidation step in meta, which no rule sets, would count as the far future.
    isUsed * (tableRoot - confirmedTableRoot) === 0;
    isStep[2] * mode === 0;
    component elapsed = AssertInRange(TIME_BITS());
    elapsed.in <== isStep[2] * (time - CALL_SECONDS() - (oldMeta - CALLED()) * (1 / 8));

    // 1. CallMustBeProven: after the batch the margin of the named world is below zero, in fifths and
    // scaled as the sweep has it. |margin| < 2^110.6
    signal part[WORLD_COUNT()][MEMBERS];
    signal old[WORLD_COUNT()];
    var worth[WORLD_COUNT()];
    for (var s = 0; s < WORLD_COUNT(); s++) {
        old[s] <== isWorse[s] * oldWorth[s];
        worth[s] = old[s];
        for (var a = 0; a < MEMBERS; a++) {
            part[s][a] <== choice[a] * difference[a][s];
            worth[s] += part[s][a];
        }
    }
    component worldFlag[MARGIN_COUNT()];
    signal named[MARGIN_COUNT()];
    var worlds = 0;
    var margin = 0;
    for (var s = 0; s < MARGIN_COUNT(); s++) {
        worldFlag[s] = AssertBoolean();
        worldFlag[s].in <== worldChoice[s];
        worlds += worldChoice[s];
        named[s] <== worldChoice[s] * (s == MARGIN_COUNT() - 1 ? 5 * worth[s + 1] : worth[0] + 4 * worth[s + 1]);
        margin += named[s];
    }
    worlds === isUsed;
    component broken = AssertInRange(MARGIN_BITS());
    broken.in <== -margin - isUsed;

    // 1. CallMustBeProven: the flag's clock starts with the batch
    signal start <== isUsed * (time * 8 - oldMeta);
    var next = (isStep[0] + isStep[1]) * CALLED() + isStep[2] * LIQUIDATING();
    for (var a = 0; a < MEMBERS; a++) {
        change[a] <== choice[a] * (start + next);
    }
}

// Makes one account ACTIVE again, or none.
template Release(MEMBERS) {
    signal input time;
    signal input mode;
    signal input choice[MEMBERS];
    // Named by the prover: from CALLED, from LIQUIDATING, from EXITING.
    signal input isStep[3];
    signal input status[MEMBERS];
    signal input meta[MEMBERS];
    signal input isRescue[MEMBERS];
    signal input highestId[MEMBERS];
    signal output change[MEMBERS];

    // 2. ReleaseMustBeProven: one account and one step at most, from the status that it starts at
    component stepFlag[3];
    for (var i = 0; i < 3; i++) {
        stepFlag[i] = AssertBoolean();
        stepFlag[i].in <== isStep[i];
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
        flag[a].in <== choice[a];
        statusPart[a] <== choice[a] * status[a];
        metaPart[a] <== choice[a] * meta[a];
        rescuePart[a] <== choice[a] * isRescue[a];
        idPart[a] <== choice[a] * highestId[a];
        count += choice[a];
        oldStatus += statusPart[a];
        oldMeta += metaPart[a];
        rescued += rescuePart[a];
        highest += idPart[a];
    }
    signal isUsed <== count;
    isUsed * (isUsed - 1) === 0;
    isStep[0] + isStep[1] + isStep[2] === isUsed;
    oldStatus === isStep[0] * CALLED() + isStep[1] * LIQUIDATING() + isStep[2] * EXITING();

    // 2. ReleaseMustBeProven: in normal mode, every world at least zero after the batch: nobody who
    // needed a rescue; and who was leaving holds tokens only
    isUsed * mode === 0;
    rescued === 0;
    component isFlat = AssertInRange(TOKEN_BITS());
    isFlat.in <== isStep[2] * highest;

    signal start <== isUsed * (ACTIVE() + time * 8);
    for (var a = 0; a < MEMBERS; a++) {
        change[a] <== choice[a] * (start - oldMeta);
    }
}

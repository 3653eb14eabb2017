// Forced exits and what follows from them: how much is paid, and how an account unwinds.
//
//  1. ForcedExitMustBeExact
//  2. ReduceOnlyMustReduce
//  3. RequestMustBeServed
pragma circom 2.2.0;

include "lib/bits.circom";
include "generated/params.circom";

// A request of an L1 owner for one token. The amount paid is the least of four caps, and the slot names
// the one that binds: the balance (nothing is left), the vault, a world that one lot more would bring
// below zero, or a loss: a world that was below zero before, which pays nothing. Nothing here is drawn
// from a challenge, so nothing here needs to be bound by C.
template ForcedExit(MEMBERS, ROWS, RESCUES) {
    // Of the request.
    signal input isUsed;
    signal input token;
    signal input freeVault;
    signal input amount;
    signal input choice[MEMBERS];
    // Named by the prover.
    signal input isCap[4];
    signal input worldChoice[WORLD_COUNT()];
    signal input rowChoice[ROWS];
    // Of the accounts after the batch, and of the rows.
    signal input newId[MEMBERS][SLOT_COUNT() - 1];
    signal input newCash[MEMBERS];
    signal input difference[MEMBERS][WORLD_COUNT()];
    signal input rescueChoice[RESCUES][MEMBERS];
    signal input oldWorth[RESCUES][WORLD_COUNT()];
    signal input rowId[ROWS];
    signal input rowAddOn[ROWS];
    signal input rowValue[ROWS][ROW_VALUE_COUNT()];
    signal output isPaid[MEMBERS];

    // 1. ForcedExitMustBeExact: one cap is named, amounts keep their widths, no more than is free
    component cap[4];
    for (var i = 0; i < 4; i++) {
        cap[i] = AssertBoolean();
        cap[i].in <== isCap[i];
    }
    var isBalance = isCap[0];
    var isVault = isCap[1];
    var isWorld = isCap[2];
    var isLoss = isCap[3];
    isBalance + isVault + isWorld + isLoss === isUsed;
    component tokenRange = AssertInRange(TOKEN_BITS());
    tokenRange.in <== token;
    component tokenIsSet = AssertNonZeroIf();
    tokenIsSet.enabled <== isUsed;
    tokenIsSet.in <== token;
    component amountRange = AssertInRange(AMOUNT_BITS());
    amountRange.in <== amount;
    component slack = AssertInRange(64);
    slack.in <== freeVault - amount;
    component unpaid = EqualsZero();
    unpaid.in <== amount;
    component cashTest = EqualsZero();
    cashTest.in <== token - CASH_ID();
    signal isCash <== cashTest.out;

    // 1. ForcedExitMustBeExact: who is paid is solvent without rescue
    signal match[RESCUES][MEMBERS];
    signal isRescuedBy[RESCUES];
    var rescued = 0;
    for (var k = 0; k < RESCUES; k++) {
        var sum = 0;
        for (var a = 0; a < MEMBERS; a++) {
            match[k][a] <== choice[a] * rescueChoice[k][a];
            sum += match[k][a];
        }
        isRescuedBy[k] <== sum;
        rescued += isRescuedBy[k];
    }
    signal isRescued <== rescued;
    (1 - unpaid.out) * isRescued === 0;
    for (var a = 0; a < MEMBERS; a++) {
        isPaid[a] <== choice[a] * (1 - unpaid.out);
    }

    // 1. ForcedExitMustBeExact: a payment leaves no cash owed; the balance cap leaves nothing of the
    // token, or pays nothing to an account that owes cash
    signal cashPart[MEMBERS];
    var cashSum = 0;
    for (var a = 0; a < MEMBERS; a++) {
        cashPart[a] <== choice[a] * newCash[a];
        cashSum += cashPart[a];
    }
    signal cash <== isCash * cashSum;
    signal isUnpaidBalance <== isBalance * unpaid.out;
    component cashRange = AssertInRange(QUANTITY_BITS());
    cashRange.in <== (1 - unpaid.out - isUnpaidBalance) * cash;
    (isBalance - isUnpaidBalance) * cash === 0;
    signal idPart[SLOT_COUNT() - 1][MEMBERS];
    component isOther[SLOT_COUNT() - 1];
    for (var i = 0; i < SLOT_COUNT() - 1; i++) {
        var id = 0;
        for (var a = 0; a < MEMBERS; a++) {
            idPart[i][a] <== choice[a] * newId[a][i];
            id += idPart[i][a];
        }
        isOther[i] = AssertNonZeroIf();
        isOther[i].enabled <== isBalance;
        isOther[i].in <== id - token;
    }

    // 1. ForcedExitMustBeExact: the vault cap pays all that is free
    isVault * (freeVault - amount) === 0;

    // 1. ForcedExitMustBeExact: the world that is named, and what one lot of the token is worth in it
    component worldFlag[WORLD_COUNT()];
    signal worthPart[WORLD_COUNT()][MEMBERS];
    signal oldPart[WORLD_COUNT()][RESCUES];
    signal namedWorth[WORLD_COUNT()];
    signal namedOld[WORLD_COUNT()];
    signal valuePart[ROW_VALUE_COUNT()][ROWS];
    signal namedValue[ROW_VALUE_COUNT()];
    signal addOnPart[ROWS];
    var addOn = 0;
    for (var r = 0; r < ROWS; r++) {
        addOnPart[r] <== rowChoice[r] * rowAddOn[r];
        addOn += addOnPart[r];
    }
    var worlds = 0;
    var worth = 0;
    var oldWorthNamed = 0;
    var lot = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        worldFlag[s] = AssertBoolean();
        worldFlag[s].in <== worldChoice[s];
        worlds += worldChoice[s];
        var now = 0;
        for (var a = 0; a < MEMBERS; a++) {
            worthPart[s][a] <== choice[a] * difference[a][s];
            now += worthPart[s][a];
        }
        namedWorth[s] <== worldChoice[s] * now;
        worth += namedWorth[s];
        var then = 0;
        for (var k = 0; k < RESCUES; k++) {
            oldPart[s][k] <== isRescuedBy[k] * oldWorth[k][s];
            then += oldPart[s][k];
        }
        namedOld[s] <== worldChoice[s] * then;
        oldWorthNamed += namedOld[s];
        // The last world counts tokens as nothing; the add-on is charged between the first and the last.
        if (s < ROW_VALUE_COUNT()) {
            var value = 0;
            for (var r = 0; r < ROWS; r++) {
                valuePart[s][r] <== rowChoice[r] * rowValue[r][s];
                value += valuePart[s][r];
            }
            namedValue[s] <== worldChoice[s] * (value - (s > 0 ? addOn : 0));
            lot += namedValue[s];
        }
    }
    worlds === isWorld + isLoss;
    isWorld * isRescued === 0;
    isLoss * (1 - isRescued) === 0;
    signal isCashWorld <== isWorld * isCash;
    signal needsRow <== isWorld - isCashWorld;
    component rowFlag[ROWS];
    signal rowIdPart[ROWS];
    var rowCount = 0;
    var rowToken = 0;
    for (var r = 0; r < ROWS; r++) {
        rowFlag[r] = AssertBoolean();
        rowFlag[r].in <== rowChoice[r];
        rowCount += rowChoice[r];
        rowIdPart[r] <== rowChoice[r] * rowId[r];
        rowToken += rowIdPart[r];
    }
    rowCount === needsRow;
    needsRow * token === rowToken;

    // 1. ForcedExitMustBeExact: one lot more would bring the named world below zero; or it was below
    // zero before. A rescued account's difference is not its worth, so it names a loss only.
    signal after <== isWorld * worth;
    signal before <== isLoss * oldWorthNamed;
    component binds = AssertInRange(WORLD_BITS());
    binds.in <== lot + isCashWorld - after - before - isWorld - isLoss;
}

// The requests that are forced exits, each in one of COUNT slots.
template ForcedExits(COUNT, REQUESTS, MEMBERS, ROWS, RESCUES) {
    signal input isForced[REQUESTS];
    signal input word[REQUESTS][6];
    signal input requestChoice[REQUESTS][MEMBERS];
    signal input choice[COUNT][REQUESTS];
    signal input isCap[COUNT][4];
    signal input worldChoice[COUNT][WORLD_COUNT()];
    signal input rowChoice[COUNT][ROWS];
    signal input newId[MEMBERS][SLOT_COUNT() - 1];
    signal input newCash[MEMBERS];
    signal input difference[MEMBERS][WORLD_COUNT()];
    signal input rescueChoice[RESCUES][MEMBERS];
    signal input oldWorth[RESCUES][WORLD_COUNT()];
    signal input rowId[ROWS];
    signal input rowAddOn[ROWS];
    signal input rowValue[ROWS][ROW_VALUE_COUNT()];
    signal output isPaid[MEMBERS];

    // 3. RequestMustBeServed: each forced exit has a slot, each slot one forced exit at most
    component flag[COUNT][REQUESTS];
    component once[COUNT];
    component slot[COUNT];
    signal part[COUNT][REQUESTS][3];
    signal member[COUNT][REQUESTS][MEMBERS];
    var paid[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        paid[a] = 0;
    }
    for (var q = 0; q < REQUESTS; q++) {
        var slots = 0;
        for (var k = 0; k < COUNT; k++) {
            flag[k][q] = AssertBoolean();
            flag[k][q].in <== choice[k][q];
            slots += choice[k][q];
        }
        slots === isForced[q];
    }
    for (var k = 0; k < COUNT; k++) {
        var used = 0;
        var token = 0;
        var freeVault = 0;
        var amount = 0;
        var chosen[MEMBERS];
        for (var a = 0; a < MEMBERS; a++) {
            chosen[a] = 0;
        }
        for (var q = 0; q < REQUESTS; q++) {
            used += choice[k][q];
            part[k][q][0] <== choice[k][q] * word[q][2];
            part[k][q][1] <== choice[k][q] * word[q][4];
            part[k][q][2] <== choice[k][q] * word[q][5];
            token += part[k][q][0];
            freeVault += part[k][q][1];
            amount += part[k][q][2];
            for (var a = 0; a < MEMBERS; a++) {
                member[k][q][a] <== choice[k][q] * requestChoice[q][a];
                chosen[a] += member[k][q][a];
            }
        }
        once[k] = AssertBoolean();
        once[k].in <== used;
        slot[k] = ForcedExit(MEMBERS, ROWS, RESCUES);
        slot[k].isUsed <== used;
        slot[k].token <== token;
        slot[k].freeVault <== freeVault;
        slot[k].amount <== amount;
        for (var a = 0; a < MEMBERS; a++) {
            slot[k].choice[a] <== chosen[a];
        }
        slot[k].isCap <== isCap[k];
        slot[k].worldChoice <== worldChoice[k];
        slot[k].rowChoice <== rowChoice[k];
        slot[k].newId <== newId;
        slot[k].newCash <== newCash;
        slot[k].difference <== difference;
        slot[k].rescueChoice <== rescueChoice;
        slot[k].oldWorth <== oldWorth;
        slot[k].rowId <== rowId;
        slot[k].rowAddOn <== rowAddOn;
        slot[k].rowValue <== rowValue;
        for (var a = 0; a < MEMBERS; a++) {
            paid[a] += slot[k].isPaid[a];
        }
    }
    isPaid <== paid;
}

// One changed balance of a reduce-only account with pages: kept + closed lots of one sign before, kept
// lots of the same sign after. The word binds them before the challenge.
template Reduction(MEMBERS) {
    signal input choice[MEMBERS];
    signal input index[MEMBERS];
    signal input id;
    signal input kept;
    signal input closed;
    signal input isShort;
    signal output isUsed;
    signal output account;
    signal output word;

    // 2. ReduceOnlyMustReduce: what is kept and what is closed are sizes; an unused slot is all zeros
    component flag[MEMBERS];
    signal part[MEMBERS];
    var count = 0;
    var sum = 0;
    for (var a = 0; a < MEMBERS; a++) {
        flag[a] = AssertBoolean();
        flag[a].in <== choice[a];
        part[a] <== choice[a] * index[a];
        count += choice[a];
        sum += part[a];
    }
    isUsed <== count;
    account <== sum;
    component used = AssertBoolean();
    used.in <== isUsed;
    component idRange = AssertInRange(INSTRUMENT_BITS());
    idRange.in <== id;
    component keptRange = AssertInRange(QUANTITY_BITS());
    keptRange.in <== kept;
    component closedRange = AssertInRange(QUANTITY_BITS());
    closedRange.in <== closed;
    component short = AssertBoolean();
    short.in <== isShort;
    // 28 + 56 + 56 + 1 = 141 bits
    word <== id + kept * (1 << 28) + closed * (1 << 84) + isShort * (1 << 140);
    (1 - isUsed) * word === 0;
}

template ReductionTerms() {
    signal input challenge[17];
    signal input isUsed;
    signal input account;
    signal input id;
    signal input kept;
    signal input closed;
    signal input isShort;
    signal output term;

    signal before <== challenge[CH_REDUCED()] * (kept + closed);
    signal moved <== (1 - 2 * isShort) * (kept + before);
    signal counted <== challenge[CH_REDUCTION_COUNT()] * isUsed;
    signal key <== challenge[CH_INSTRUMENT()] * id;
    signal fraction <-- (moved + counted) / (challenge[CH_POINT()] - account - key);
    fraction * (challenge[CH_POINT()] - account - key) === moved + counted;
    term <== fraction;
}

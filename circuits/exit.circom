// Forced exits: how much is paid.
//
//  1. ForcedExitMustBeExact
//  2. RequestMustBeServed
pragma circom 2.2.0;

include "lib/bits.circom";
include "records.circom";
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
    input Cap(ROWS) cap;
    // Of the accounts after the batch, and of the rows.
    input AccountSlot() account[MEMBERS];
    input Claim() claim[MEMBERS];
    input RescueSlot(MEMBERS) rescue[RESCUES];
    input RowSlot() row[ROWS];
    signal output isPaid[MEMBERS];

    // 1. ForcedExitMustBeExact: one cap is named, amounts keep their widths, no more than is free
    component capFlag[4];
    for (var i = 0; i < 4; i++) {
        capFlag[i] = AssertBoolean();
        capFlag[i].in <== cap.is[i];
    }
    var isBalance = cap.is[0];
    var isVault = cap.is[1];
    var isWorld = cap.is[2];
    var isLoss = cap.is[3];
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
            match[k][a] <== choice[a] * rescue[k].choice[a];
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
        cashPart[a] <== choice[a] * account[a].next.quantity[0];
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
            idPart[i][a] <== choice[a] * account[a].next.id[i];
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
        addOnPart[r] <== cap.row[r] * row[r].addOn;
        addOn += addOnPart[r];
    }
    var worlds = 0;
    var worth = 0;
    var oldWorthNamed = 0;
    var lot = 0;
    for (var s = 0; s < WORLD_COUNT(); s++) {
        worldFlag[s] = AssertBoolean();
        worldFlag[s].in <== cap.world[s];
        worlds += cap.world[s];
        var now = 0;
        for (var a = 0; a < MEMBERS; a++) {
            worthPart[s][a] <== choice[a] * claim[a].difference[s];
            now += worthPart[s][a];
        }
        namedWorth[s] <== cap.world[s] * now;
        worth += namedWorth[s];
        var then = 0;
        for (var k = 0; k < RESCUES; k++) {
            oldPart[s][k] <== isRescuedBy[k] * rescue[k].oldWorth[s];
            then += oldPart[s][k];
        }
        namedOld[s] <== cap.world[s] * then;
        oldWorthNamed += namedOld[s];
        // The last world counts tokens as nothing; the add-on is charged between the first and the last.
        if (s < ROW_VALUE_COUNT()) {
            var value = 0;
            for (var r = 0; r < ROWS; r++) {
                valuePart[s][r] <== cap.row[r] * row[r].value[s];
                value += valuePart[s][r];
            }
            namedValue[s] <== cap.world[s] * (value - (s > 0 ? addOn : 0));
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
        rowFlag[r].in <== cap.row[r];
        rowCount += cap.row[r];
        rowIdPart[r] <== cap.row[r] * row[r].id;
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
    input RequestWords() word[REQUESTS];
    input RequestSlot(MEMBERS) request[REQUESTS];
    input ForcedExitSlot(REQUESTS, ROWS) slot[COUNT];
    input AccountSlot() account[MEMBERS];
    input Claim() claim[MEMBERS];
    input RescueSlot(MEMBERS) rescue[RESCUES];
    input RowSlot() row[ROWS];

    // 2. RequestMustBeServed: each forced exit has a slot, each slot one forced exit at most
    component flag[COUNT][REQUESTS];
    component once[COUNT];
    component exit[COUNT];
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
            flag[k][q].in <== slot[k].choice[q];
            slots += slot[k].choice[q];
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
            used += slot[k].choice[q];
            part[k][q][0] <== slot[k].choice[q] * word[q].data[0];
            part[k][q][1] <== slot[k].choice[q] * word[q].data[2];
            part[k][q][2] <== slot[k].choice[q] * word[q].data[3];
            token += part[k][q][0];
            freeVault += part[k][q][1];
            amount += part[k][q][2];
            for (var a = 0; a < MEMBERS; a++) {
                member[k][q][a] <== slot[k].choice[q] * request[q].choice[a];
                chosen[a] += member[k][q][a];
            }
        }
        once[k] = AssertBoolean();
        once[k].in <== used;
        exit[k] = ForcedExit(MEMBERS, ROWS, RESCUES);
        exit[k].isUsed <== used;
        exit[k].token <== token;
        exit[k].freeVault <== freeVault;
        exit[k].amount <== amount;
        for (var a = 0; a < MEMBERS; a++) {
            exit[k].choice[a] <== chosen[a];
        }
        exit[k].cap <== slot[k].cap;
        exit[k].account <== account;
        exit[k].claim <== claim;
        exit[k].rescue <== rescue;
        exit[k].row <== row;
        for (var a = 0; a < MEMBERS; a++) {
            paid[a] += exit[k].isPaid[a];
        }
    }
    // 2. RequestMustBeServed: a payment is one of a forced exit
    for (var a = 0; a < MEMBERS; a++) {
        paid[a] === account[a].isPaid;
    }
}

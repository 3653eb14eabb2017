// A batch: pages are netted, accounts move from old leaves to new ones, L1 learns words only.
//
//  1. ModeMustBeKnown
//  2. RequestMustBeServed
//  3. CountMustFollowRegistrations
//  4. BalanceMustFollowPages
//  5. TradeMustMatch
//  6. JournalMustContinue
//  7. PagesMustBeCounted
//  8. RotationMustEndItsJournal
//  9. InstrumentMustBeListed
// 10. WorthMustFollowTable
// 11. ConversionMustBeExact
// 12. ReduceOnlyMustReduce
// 13. MetaMustChangeByRule
pragma circom 2.2.0;

include "account.circom";
include "edges.circom";
include "exit.circom";
include "flag.circom";
include "member-terms.circom";
include "page.circom";
include "row.circom";
include "state.circom";
include "statement.circom";

// Rows are read in groups of ROWS_PER_NODE, each from a node that is opened once.
template Batch(PAGES, MEMBERS, ROWS, ROWS_PER_NODE, DEPOSITS, WITHDRAWALS, REQUESTS, ROTATIONS, RESCUES,
    FORCED_EXITS, REDUCTIONS, RELEASES) {
    var NODES = ROWS \ ROWS_PER_NODE;
    assert(NODES * ROWS_PER_NODE == ROWS);

    // Public: commitment, challenge, evaluation of the words at the challenge.
    signal input C;
    signal input x;
    signal input y;
    signal input commitmentSalt;

    // The public words.
    signal input header[HEADER_WORD_COUNT()];
    signal input depositWord[DEPOSITS][4];
    signal input requestWord[REQUESTS][6];
    signal input withdrawalWord[WITHDRAWALS][3];
    signal input accountWord[MEMBERS + 1][2 + CIPHER_WORD_COUNT()];

    // Pages.
    signal input isLive[PAGES];
    signal input isSkipped[PAGES];
    signal input kindBit[PAGES][2];
    signal input account[PAGES];
    signal input counterparty[PAGES];
    signal input stamp[PAGES];
    signal input maxFee[PAGES];
    signal input previousHead[PAGES];
    signal input payload[PAGES];
    signal input instrument[PAGES][3];
    signal input quantity[PAGES][3];
    signal input price[PAGES][3];

    // Accounts.
    signal input isEmpty[MEMBERS];
    signal input isRegistered[MEMBERS];
    signal input isRotatedByL1[MEMBERS];
    signal input isForced[MEMBERS];
    signal input isPaid[MEMBERS];
    signal input flagChange[MEMBERS];
    signal input isSigned[MEMBERS];
    signal input oldOwnerKeyHash[MEMBERS];
    signal input oldViewKeyHash[MEMBERS];
    signal input oldHead[MEMBERS];
    signal input oldMeta[MEMBERS];
    signal input oldSalt[MEMBERS];
    signal input oldId[MEMBERS][SLOT_COUNT() - 1];
    signal input oldQuantity[MEMBERS][SLOT_COUNT()];
    signal input newOwnerKeyHash[MEMBERS];
    signal input newHead[MEMBERS];
    signal input viewKey[MEMBERS];
    signal input newId[MEMBERS][SLOT_COUNT() - 1];
    signal input newQuantity[MEMBERS][SLOT_COUNT()];
    signal input signerX[MEMBERS];
    signal input signerY[MEMBERS];
    signal input signatureX[MEMBERS];
    signal input signatureY[MEMBERS];
    signal input signatureS[MEMBERS];
    signal input isConverted[MEMBERS][SLOT_COUNT() - 1];
    signal input conversionCash[MEMBERS];
    signal input liveCount[MEMBERS];
    signal input difference[MEMBERS][WORLD_COUNT()];
    signal input rescueChoice[RESCUES][MEMBERS];
    signal input isWorse[RESCUES][WORLD_COUNT()];
    signal input oldWorth[RESCUES][WORLD_COUNT()];
    signal input callStep[RESCUES][3];
    signal input callWorld[RESCUES][MARGIN_COUNT()];
    signal input releaseChoice[RELEASES][MEMBERS];
    signal input releaseStep[RELEASES][3];
    signal input feeAccountViewKeyHash;
    signal input feeAccountMeta;
    signal input feeAccountSalt;
    signal input feeAccountCash;
    signal input feeAccountViewKey;

    // The tree.
    signal input child[MEMBERS + 1][TREE_DEPTH() - 1][8];
    signal input topNode[8];

    // Rows.
    signal input marksRoot;
    signal input tableFlags;
    signal input rowIsUsed[ROWS];
    signal input nodePosition[NODES][NODE_POSITION_BITS()];
    signal input nodeChild[NODES][8];
    signal input rowPlace[ROWS][3];
    signal input rowId[ROWS];
    signal input rowStatus[ROWS];
    signal input rowAddOn[ROWS];
    signal input rowValue[ROWS][ROW_VALUE_COUNT()];
    signal input tableNode[TABLE_NODE_COUNT()];
    signal input settledNode[WINDOW_COUNT()][8];
    signal input windowBit[WINDOW_COUNT()][3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH())];
    signal input windowChild[WINDOW_COUNT()][SETTLEMENT_DEPTH() - WINDOW_DEPTH()][8];
    signal input rowQuantity[ROWS];
    signal input rowSize[ROWS];

    // Edges.
    signal input depositSecret[DEPOSITS];
    signal input depositChoice[DEPOSITS][MEMBERS];
    signal input withdrawalStamp[WITHDRAWALS];
    signal input withdrawalChoice[WITHDRAWALS][MEMBERS];
    signal input requestSerial[REQUESTS];
    signal input requestChoice[REQUESTS][MEMBERS];
    signal input rotationIsUsed[ROTATIONS];
    signal input rotationX[ROTATIONS];
    signal input rotationY[ROTATIONS];
    signal input rotationChoice[ROTATIONS][MEMBERS];
    signal input forcedChoice[FORCED_EXITS][REQUESTS];
    signal input forcedCap[FORCED_EXITS][4];
    signal input forcedWorld[FORCED_EXITS][WORLD_COUNT()];
    signal input forcedRow[FORCED_EXITS][ROWS];
    signal input isReduced[MEMBERS][SLOT_COUNT() - 1];
    signal input reductionChoice[REDUCTIONS][MEMBERS];
    signal input reductionId[REDUCTIONS];
    signal input reductionKept[REDUCTIONS];
    signal input reductionClosed[REDUCTIONS];
    signal input reductionIsShort[REDUCTIONS];

    var domain = header[0];
    var batchNumber = header[1];
    var time = header[2];
    var mode = header[3];
    var fee = header[10];
    var batchNonce = header[13];

    // 1. ModeMustBeKnown: normal or reduce-only, reserved words zero, time within its width
    component modeFlag = AssertBoolean();
    modeFlag.in <== mode;
    header[14] === 0;
    header[15] === 0;
    component timeRange = AssertInRange(TIME_BITS());
    timeRange.in <== time;
    component feeRange = AssertInRange(FEE_BITS());
    feeRange.in <== fee;

    component page[PAGES];
    for (var i = 0; i < PAGES; i++) {
        page[i] = Page();
        page[i].time <== time;
        page[i].fee <== fee;
        page[i].isLive <== isLive[i];
        page[i].isSkipped <== isSkipped[i];
        page[i].kindBit <== kindBit[i];
        page[i].account <== account[i];
        page[i].counterparty <== counterparty[i];
        page[i].stamp <== stamp[i];
        page[i].maxFee <== maxFee[i];
        page[i].previousHead <== previousHead[i];
        page[i].payload <== payload[i];
        page[i].instrument <== instrument[i];
        page[i].quantity <== quantity[i];
        page[i].price <== price[i];
    }

    component member[MEMBERS];
    component solvency[MEMBERS];
    signal isRescue[MEMBERS];
    component liveBits[MEMBERS];
    signal isFree[MEMBERS];
    signal isReduceOnly[MEMBERS];
    signal feeCount[MEMBERS];
    signal feePaid[MEMBERS];
    var fees = 0;
    for (var a = 0; a < MEMBERS; a++) {
        member[a] = Member();
        member[a].time <== time;
        member[a].batchNumber <== batchNumber;
        member[a].batchNonce <== batchNonce;
        member[a].index <== accountWord[a + 1][0];
        member[a].leaf <== accountWord[a + 1][1];
        for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
            member[a].cipher[i] <== accountWord[a + 1][2 + i];
        }
        member[a].isEmpty <== isEmpty[a];
        member[a].isRegistered <== isRegistered[a];
        member[a].isRotatedByL1 <== isRotatedByL1[a];
        var byPage = 0;
        for (var k = 0; k < ROTATIONS; k++) {
            byPage += rotationChoice[k][a];
        }
        member[a].isRotatedByPage <== byPage;
        member[a].isSigned <== isSigned[a];
        member[a].isForced <== isForced[a];
        member[a].isPaid <== isPaid[a];
        member[a].flagChange <== flagChange[a];
        var credits = 0;
        for (var d = 0; d < DEPOSITS; d++) {
            credits += depositChoice[d][a];
        }
        member[a].creditCount <== credits;
        member[a].oldOwnerKeyHash <== oldOwnerKeyHash[a];
        member[a].oldViewKeyHash <== oldViewKeyHash[a];
        member[a].oldHead <== oldHead[a];
        member[a].oldMeta <== oldMeta[a];
        member[a].oldSalt <== oldSalt[a];
        member[a].oldId <== oldId[a];
        member[a].oldQuantity <== oldQuantity[a];
        member[a].newOwnerKeyHash <== newOwnerKeyHash[a];
        member[a].newHead <== newHead[a];
        member[a].viewKey <== viewKey[a];
        member[a].newId <== newId[a];
        member[a].newQuantity <== newQuantity[a];
        member[a].signerX <== signerX[a];
        member[a].signerY <== signerY[a];
        member[a].signatureX <== signatureX[a];
        member[a].signatureY <== signatureY[a];
        member[a].signatureS <== signatureS[a];

        solvency[a] = Solvency();
        solvency[a].difference <== difference[a];
        var rescues = 0;
        for (var k = 0; k < RESCUES; k++) {
            rescues += rescueChoice[k][a];
        }
        isRescue[a] <== rescues;
        solvency[a].isRescue <== isRescue[a];

        // Reduce-only: all that is not active, or everybody. Without pages nothing trades.
        isFree[a] <== member[a].isActive * (1 - mode);
        isReduceOnly[a] <== isSigned[a] * (1 - isFree[a]);

        // An account that is rescued pays no fee, which could make a negative world worse.
        liveBits[a] = Bits(LIVE_COUNT_BITS());
        liveBits[a].in <== liveCount[a];
        feeCount[a] <== liveCount[a] * (1 - isRescue[a]);
        feePaid[a] <== feeCount[a] * fee;
        fees += feePaid[a];
    }
    component rescue[RESCUES];
    for (var k = 0; k < RESCUES; k++) {
        rescue[k] = Rescue(MEMBERS);
        rescue[k].choice <== rescueChoice[k];
        rescue[k].isWorse <== isWorse[k];
    }
    // 13. MetaMustChangeByRule: by flag steps of the slots, each proven there
    component call[RESCUES];
    component release[RELEASES];
    var flagged[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        flagged[a] = 0;
    }
    for (var k = 0; k < RESCUES; k++) {
        call[k] = Call(MEMBERS);
        call[k].time <== time;
        call[k].mode <== mode;
        call[k].tableRoot <== header[7];
        call[k].confirmedTableRoot <== header[8];
        call[k].isStep <== callStep[k];
        call[k].worldChoice <== callWorld[k];
        call[k].choice <== rescueChoice[k];
        call[k].isWorse <== isWorse[k];
        call[k].oldWorth <== oldWorth[k];
        call[k].meta <== oldMeta;
        call[k].difference <== difference;
        for (var a = 0; a < MEMBERS; a++) {
            call[k].status[a] <== member[a].status;
        }
        for (var a = 0; a < MEMBERS; a++) {
            flagged[a] += call[k].change[a];
        }
    }
    for (var k = 0; k < RELEASES; k++) {
        release[k] = Release(MEMBERS);
        release[k].time <== time;
        release[k].mode <== mode;
        release[k].choice <== releaseChoice[k];
        release[k].isStep <== releaseStep[k];
        release[k].meta <== oldMeta;
        release[k].isRescue <== isRescue;
        for (var a = 0; a < MEMBERS; a++) {
            release[k].status[a] <== member[a].status;
            release[k].highestId[a] <== member[a].highestId;
        }
        for (var a = 0; a < MEMBERS; a++) {
            flagged[a] += release[k].change[a];
        }
    }
    for (var a = 0; a < MEMBERS; a++) {
        var releases = 0;
        for (var k = 0; k < RELEASES; k++) {
            releases += releaseChoice[k][a];
        }
        releases * (releases - 1) === 0;
        flagged[a] === flagChange[a];
    }
    component feeAccount = FeeAccount();
    feeAccount.batchNumber <== batchNumber;
    feeAccount.batchNonce <== batchNonce;
    feeAccount.leaf <== accountWord[0][1];
    for (var i = 0; i < CIPHER_WORD_COUNT(); i++) {
        feeAccount.cipher[i] <== accountWord[0][2 + i];
    }
    feeAccount.oldViewKeyHash <== feeAccountViewKeyHash;
    feeAccount.oldMeta <== feeAccountMeta;
    feeAccount.oldSalt <== feeAccountSalt;
    feeAccount.oldCash <== feeAccountCash;
    feeAccount.fees <== fees;
    feeAccount.viewKey <== feeAccountViewKey;

    component state = StateUpdate(MEMBERS + 1);
    state.oldRoot <== header[4];
    state.newRoot <== header[5];
    state.topNode <== topNode;
    state.child <== child;
    for (var a = 0; a < MEMBERS + 1; a++) {
        state.index[a] <== accountWord[a][0];
        state.oldLeaf[a] <== a == 0 ? feeAccount.oldLeaf : member[a == 0 ? 0 : a - 1].oldLeaf;
        state.newLeaf[a] <== accountWord[a][1];
    }

    component rows = Rows(ROWS, ROWS_PER_NODE);
    rows.tableRoot <== header[7];
    rows.settlementRoot <== header[9];
    rows.marksRoot <== marksRoot;
    rows.tableFlags <== tableFlags;
    rows.tableNode <== tableNode;
    rows.settledNode <== settledNode;
    rows.windowBit <== windowBit;
    rows.windowChild <== windowChild;
    rows.nodePosition <== nodePosition;
    rows.nodeChild <== nodeChild;
    rows.isUsed <== rowIsUsed;
    rows.place <== rowPlace;
    rows.id <== rowId;
    rows.status <== rowStatus;
    rows.addOn <== rowAddOn;
    rows.value <== rowValue;

    // Edges.
    component deposit[DEPOSITS];
    for (var d = 0; d < DEPOSITS; d++) {
        deposit[d] = Deposit(MEMBERS);
        deposit[d].commitment <== depositWord[d][1];
        deposit[d].token <== depositWord[d][2];
        deposit[d].amount <== depositWord[d][3];
        deposit[d].secret <== depositSecret[d];
        deposit[d].choice <== depositChoice[d];
        for (var a = 0; a < MEMBERS; a++) {
            deposit[d].index[a] <== accountWord[a + 1][0];
        }
    }
    component withdrawal[WITHDRAWALS];
    for (var w = 0; w < WITHDRAWALS; w++) {
        withdrawal[w] = Withdrawal(MEMBERS);
        withdrawal[w].token <== withdrawalWord[w][0];
        withdrawal[w].amount <== withdrawalWord[w][1];
        withdrawal[w].to <== withdrawalWord[w][2];
        withdrawal[w].choice <== withdrawalChoice[w];
        for (var a = 0; a < MEMBERS; a++) {
            withdrawal[w].index[a] <== accountWord[a + 1][0];
        }
        withdrawal[w].isRescue <== isRescue;
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
        request[q].domain <== domain;
        request[q].word <== requestWord[q];
        request[q].serial <== requestSerial[q];
        request[q].choice <== requestChoice[q];
        for (var a = 0; a < MEMBERS; a++) {
            request[q].index[a] <== accountWord[a + 1][0];
            request[q].newOwnerKeyHash[a] <== newOwnerKeyHash[a];
            request[q].newViewKeyHash[a] <== member[a].newViewKeyHash;
            request[q].newHead[a] <== newHead[a];
        }
        for (var a = 0; a < MEMBERS; a++) {
            registered[a] += request[q].registers[a];
            rotated[a] += request[q].rotates[a];
            forced[a] += request[q].forces[a];
        }
        registrations += request[q].isRegister;
    }
    // 2. RequestMustBeServed: nobody is registered, rotated or paid out without one
    for (var a = 0; a < MEMBERS; a++) {
        registered[a] === isRegistered[a];
        rotated[a] === isRotatedByL1[a];
        forced[a] === isForced[a];
    }
    component forcedExits = ForcedExits(FORCED_EXITS, REQUESTS, MEMBERS, ROWS, RESCUES);
    for (var q = 0; q < REQUESTS; q++) {
        forcedExits.isForced[q] <== request[q].isForced;
    }
    for (var a = 0; a < MEMBERS; a++) {
        forcedExits.newCash[a] <== newQuantity[a][0];
    }
    forcedExits.word <== requestWord;
    forcedExits.requestChoice <== requestChoice;
    forcedExits.choice <== forcedChoice;
    forcedExits.isCap <== forcedCap;
    forcedExits.worldChoice <== forcedWorld;
    forcedExits.rowChoice <== forcedRow;
    forcedExits.newId <== newId;
    forcedExits.difference <== difference;
    forcedExits.rescueChoice <== rescueChoice;
    forcedExits.oldWorth <== oldWorth;
    forcedExits.rowId <== rowId;
    forcedExits.rowAddOn <== rowAddOn;
    forcedExits.rowValue <== rowValue;
    // 2. RequestMustBeServed: a payment is one of a forced exit
    for (var a = 0; a < MEMBERS; a++) {
        forcedExits.isPaid[a] === isPaid[a];
    }
    component reductionSlot[REDUCTIONS];
    for (var t = 0; t < REDUCTIONS; t++) {
        reductionSlot[t] = Reduction(MEMBERS);
        reductionSlot[t].choice <== reductionChoice[t];
        for (var a = 0; a < MEMBERS; a++) {
            reductionSlot[t].index[a] <== accountWord[a + 1][0];
        }
        reductionSlot[t].id <== reductionId[t];
        reductionSlot[t].kept <== reductionKept[t];
        reductionSlot[t].closed <== reductionClosed[t];
        reductionSlot[t].isShort <== reductionIsShort[t];
    }
    component rotationSlot[ROTATIONS];
    component rotationFlag[ROTATIONS];
    for (var k = 0; k < ROTATIONS; k++) {
        rotationFlag[k] = AssertBoolean();
        rotationFlag[k].in <== rotationIsUsed[k];
        rotationSlot[k] = Rotation(MEMBERS);
        rotationSlot[k].isUsed <== rotationIsUsed[k];
        rotationSlot[k].x <== rotationX[k];
        rotationSlot[k].y <== rotationY[k];
        rotationSlot[k].choice <== rotationChoice[k];
        for (var a = 0; a < MEMBERS; a++) {
            rotationSlot[k].index[a] <== accountWord[a + 1][0];
            rotationSlot[k].newOwnerKeyHash[a] <== newOwnerKeyHash[a];
            rotationSlot[k].newViewKeyHash[a] <== member[a].newViewKeyHash;
            rotationSlot[k].newHead[a] <== newHead[a];
        }
    }
    // 3. CountMustFollowRegistrations
    header[12] === header[11] + registrations;

    // All that a challenge ranges over, as words of the statement.
    var words = HEADER_WORD_COUNT() + 4 * DEPOSITS + 6 * REQUESTS + 3 * WITHDRAWALS
        + (2 + CIPHER_WORD_COUNT()) * (MEMBERS + 1);
    var windowBits = WINDOW_COUNT() * 3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH());
    var flagBits = 2 * PAGES + windowBits + NODES * NODE_POSITION_BITS() + ROWS * 4
        + MEMBERS * (DEPOSITS + WITHDRAWALS + 2 * (SLOT_COUNT() - 1) + LIVE_COUNT_BITS() + 1 + ROTATIONS)
        + RESCUES * (MEMBERS + WORLD_COUNT()) + REDUCTIONS * MEMBERS;
    var flagWords = (flagBits + 249) \ 250;
    component flags = PackBits(flagBits);
    var f = 0;
    for (var i = 0; i < PAGES; i++) {
        flags.in[f] <== isLive[i];
        flags.in[f + 1] <== isSkipped[i];
        f += 2;
    }
    for (var i = 0; i < NODES; i++) {
        for (var b = 0; b < NODE_POSITION_BITS(); b++) {
            flags.in[f] <== nodePosition[i][b];
            f++;
        }
    }
    for (var r = 0; r < ROWS; r++) {
        flags.in[f] <== rowIsUsed[r];
        for (var i = 0; i < 3; i++) {
            flags.in[f + 1 + i] <== rowPlace[r][i];
        }
        f += 4;
    }
    for (var v = 0; v < WINDOW_COUNT(); v++) {
        for (var i = 0; i < windowBits \ WINDOW_COUNT(); i++) {
            flags.in[f] <== windowBit[v][i];
            f++;
        }
    }
    component isConvertedFlag[MEMBERS][SLOT_COUNT() - 1];
    component isReducedFlag[MEMBERS][SLOT_COUNT() - 1];
    for (var a = 0; a < MEMBERS; a++) {
        for (var d = 0; d < DEPOSITS; d++) {
            flags.in[f + d] <== depositChoice[d][a];
        }
        f += DEPOSITS;
        for (var w = 0; w < WITHDRAWALS; w++) {
            flags.in[f + w] <== withdrawalChoice[w][a];
        }
        f += WITHDRAWALS;
        for (var i = 0; i < SLOT_COUNT() - 1; i++) {
            isConvertedFlag[a][i] = AssertBoolean();
            isConvertedFlag[a][i].in <== isConverted[a][i];
            flags.in[f + i] <== isConverted[a][i];
            isReducedFlag[a][i] = AssertBoolean();
            isReducedFlag[a][i].in <== isReduced[a][i];
            flags.in[f + SLOT_COUNT() - 1 + i] <== isReduced[a][i];
        }
        f += 2 * (SLOT_COUNT() - 1);
        for (var i = 0; i < LIVE_COUNT_BITS(); i++) {
            flags.in[f + i] <== liveBits[a].out[i];
        }
        f += LIVE_COUNT_BITS();
        flags.in[f] <== isSigned[a];
        for (var k = 0; k < ROTATIONS; k++) {
            flags.in[f + 1 + k] <== rotationChoice[k][a];
        }
        f += 1 + ROTATIONS;
    }
    for (var k = 0; k < RESCUES; k++) {
        for (var a = 0; a < MEMBERS; a++) {
            flags.in[f + a] <== rescueChoice[k][a];
        }
        f += MEMBERS;
        for (var s = 0; s < WORLD_COUNT(); s++) {
            flags.in[f + s] <== isWorse[k][s];
        }
        f += WORLD_COUNT();
    }
    for (var t = 0; t < REDUCTIONS; t++) {
        for (var a = 0; a < MEMBERS; a++) {
            flags.in[f + a] <== reductionChoice[t][a];
        }
        f += MEMBERS;
    }
    var pairs = WORLD_COUNT() \ 2;
    var privates = PAGES + WITHDRAWALS + flagWords + MEMBERS * (pairs + 1) + RESCUES * WORLD_COUNT()
        + REDUCTIONS;
    component statement = Statement(words, privates);
    statement.C <== C;
    statement.x <== x;
    statement.y <== y;
    statement.salt <== commitmentSalt;
    var n = 0;
    for (var i = 0; i < HEADER_WORD_COUNT(); i++) { statement.word[n] <== header[i]; n++; }
    for (var d = 0; d < DEPOSITS; d++) {
        for (var i = 0; i < 4; i++) { statement.word[n] <== depositWord[d][i]; n++; }
    }
    for (var q = 0; q < REQUESTS; q++) {
        for (var i = 0; i < 6; i++) { statement.word[n] <== requestWord[q][i]; n++; }
    }
    for (var w = 0; w < WITHDRAWALS; w++) {
        for (var i = 0; i < 3; i++) { statement.word[n] <== withdrawalWord[w][i]; n++; }
    }
    for (var a = 0; a < MEMBERS + 1; a++) {
        for (var i = 0; i < 2 + CIPHER_WORD_COUNT(); i++) { statement.word[n] <== accountWord[a][i]; n++; }
    }
    n = 0;
    for (var i = 0; i < PAGES; i++) { statement.bound[n] <== page[i].head; n++; }
    for (var w = 0; w < WITHDRAWALS; w++) { statement.bound[n] <== withdrawalStamp[w]; n++; }
    for (var i = 0; i < flagWords; i++) { statement.bound[n] <== flags.out[i]; n++; }
    for (var a = 0; a < MEMBERS; a++) {
        for (var i = 0; i < pairs; i++) {
            statement.bound[n] <== difference[a][2 * i] + difference[a][2 * i + 1] * (1 << WORLD_BITS());
            n++;
        }
        statement.bound[n] <== conversionCash[a];
        n++;
    }
    for (var k = 0; k < RESCUES; k++) {
        for (var s = 0; s < WORLD_COUNT(); s++) { statement.bound[n] <== oldWorth[k][s]; n++; }
    }
    for (var t = 0; t < REDUCTIONS; t++) { statement.bound[n] <== reductionSlot[t].word; n++; }

    // Challenges, and the sums per row fixed before the second ones.
    component draw = Permute(16, 17);
    draw.capacity <== TAG_CHALLENGE();
    draw.in[0] <== x;
    for (var i = 1; i < 16; i++) {
        draw.in[i] <== 0;
    }
    component fixRows = Hash(TAG_SECOND_CHALLENGE(), 1 + 2 * ROWS);
    fixRows.in[0] <== x;
    for (var r = 0; r < ROWS; r++) {
        fixRows.in[1 + r] <== rowQuantity[r];
        fixRows.in[1 + ROWS + r] <== rowSize[r];
    }
    component drawSecond = Permute(2, 3);
    drawSecond.capacity <== TAG_CHALLENGE();
    drawSecond.in <== [fixRows.out, 1];

    signal worldWeight[WORLD_COUNT()];
    worldWeight[0] <== draw.out[CH_WORLD_WEIGHT()];
    for (var s = 1; s < WORLD_COUNT(); s++) {
        worldWeight[s] <== worldWeight[s - 1] * draw.out[CH_WORLD_WEIGHT()];
    }
    var stress = 0;
    for (var s = 1; s < WORLD_COUNT() - 1; s++) {
        stress += worldWeight[s];
    }
    signal stressWeight <== stress;
    signal accountWeight[MEMBERS];
    accountWeight[0] <== draw.out[CH_ACCOUNT_WEIGHT()];
    for (var a = 1; a < MEMBERS; a++) {
        accountWeight[a] <== accountWeight[a - 1] * draw.out[CH_ACCOUNT_WEIGHT()];
    }

    // Terms of pages, accounts, rows and edges.
    var balance = 0;
    var pair = 0;
    var journal = 0;
    var count = 0;
    var rotation = 0;
    var lookup = 0;
    var worth = 0;
    var conversion = 0;
    var reduction = 0;
    component pageTerms[PAGES];
    for (var i = 0; i < PAGES; i++) {
        pageTerms[i] = PageTerms();
        pageTerms[i].challenge <== draw.out;
        pageTerms[i].isLive <== isLive[i];
        pageTerms[i].isSkipped <== isSkipped[i];
        pageTerms[i].isRotation <== page[i].isRotation;
        pageTerms[i].kind <== kindBit[i][0] + 2 * kindBit[i][1];
        pageTerms[i].account <== account[i];
        pageTerms[i].counterparty <== counterparty[i];
        pageTerms[i].stamp <== stamp[i];
        pageTerms[i].previousHead <== previousHead[i];
        pageTerms[i].head <== page[i].head;
        pageTerms[i].payload <== payload[i];
        pageTerms[i].instrument <== instrument[i];
        pageTerms[i].quantity <== quantity[i];
        pageTerms[i].price <== price[i];
        for (var k = 0; k < 4; k++) {
            balance -= pageTerms[i].balanceTerm[k];
            pair += pageTerms[i].pairTerm[k];
        }
        pair += pageTerms[i].pairTerm[4];
        journal += pageTerms[i].produced - pageTerms[i].consumed;
        count -= pageTerms[i].count;
        rotation -= pageTerms[i].rotation;
    }
    component memberTerms[MEMBERS];
    signal memberLookup[MEMBERS];
    signal memberWorth[MEMBERS];
    signal memberConversion[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        memberTerms[a] = MemberTerms();
        memberTerms[a].challenge <== draw.out;
        memberTerms[a].second <== drawSecond.out;
        memberTerms[a].worldWeight <== worldWeight;
        memberTerms[a].index <== accountWord[a + 1][0];
        memberTerms[a].isSigned <== isSigned[a];
        memberTerms[a].oldHead <== oldHead[a];
        memberTerms[a].newHead <== newHead[a];
        memberTerms[a].oldId <== oldId[a];
        memberTerms[a].oldQuantity <== oldQuantity[a];
        memberTerms[a].oldSize <== member[a].oldSize;
        memberTerms[a].newId <== newId[a];
        memberTerms[a].newQuantity <== newQuantity[a];
        memberTerms[a].newSize <== member[a].newSize;
        memberTerms[a].isConverted <== isConverted[a];
        memberTerms[a].isReduced <== isReduced[a];
        memberTerms[a].isReduceOnly <== isReduceOnly[a];
        memberTerms[a].conversionCash <== conversionCash[a];
        memberTerms[a].feePaid <== feePaid[a];
        memberTerms[a].liveCount <== liveCount[a];
        memberTerms[a].isRescue <== isRescue[a];
        memberTerms[a].difference <== difference[a];
        balance += memberTerms[a].balance;
        journal += memberTerms[a].journal;
        count += memberTerms[a].count;
        reduction += memberTerms[a].reduction;
        memberLookup[a] <== accountWeight[a] * memberTerms[a].lookup;
        lookup += memberLookup[a];
        memberWorth[a] <== accountWeight[a] * memberTerms[a].worth;
        worth += memberWorth[a];
        memberConversion[a] <== accountWeight[a] * conversionCash[a];
        conversion += memberConversion[a];
    }
    component rescueTerms[RESCUES];
    for (var k = 0; k < RESCUES; k++) {
        rescueTerms[k] = RescueTerms(MEMBERS);
        rescueTerms[k].challenge <== draw.out;
        rescueTerms[k].worldWeight <== worldWeight;
        rescueTerms[k].accountWeight <== accountWeight;
        rescueTerms[k].choice <== rescueChoice[k];
        for (var a = 0; a < MEMBERS; a++) {
            rescueTerms[k].oldCash[a] <== oldQuantity[a][0];
        }
        rescueTerms[k].conversionCash <== conversionCash;
        rescueTerms[k].isWorse <== isWorse[k];
        rescueTerms[k].oldWorth <== oldWorth[k];
        worth += rescueTerms[k].worth;
    }
    signal inverseMu <-- 1 / draw.out[CH_MU()];
    inverseMu * draw.out[CH_MU()] === 1;
    component rowTerms[ROWS];
    for (var r = 0; r < ROWS; r++) {
        rowTerms[r] = RowTerms();
        rowTerms[r].challenge <== draw.out;
        rowTerms[r].second <== drawSecond.out;
        rowTerms[r].worldWeight <== worldWeight;
        rowTerms[r].stressWeight <== stressWeight;
        rowTerms[r].inverseMu <== inverseMu;
        rowTerms[r].isUsed <== rowIsUsed[r];
        rowTerms[r].isSettled <== rows.isSettled[r];
        rowTerms[r].isToken <== rows.isToken[r];
        rowTerms[r].id <== rowId[r];
        rowTerms[r].addOn <== rowAddOn[r];
        rowTerms[r].value <== rowValue[r];
        rowTerms[r].rowQuantity <== rowQuantity[r];
        rowTerms[r].rowSize <== rowSize[r];
        lookup -= rowTerms[r].lookup;
        worth -= rowTerms[r].worth;
        conversion -= rowTerms[r].conversion;
    }
    signal creditKey[DEPOSITS];
    signal credit[DEPOSITS];
    for (var d = 0; d < DEPOSITS; d++) {
        creditKey[d] <== draw.out[CH_INSTRUMENT()] * depositWord[d][2];
        credit[d] <-- depositWord[d][3] / (draw.out[CH_POINT()] - deposit[d].account - creditKey[d]);
        credit[d] * (draw.out[CH_POINT()] - deposit[d].account - creditKey[d]) === depositWord[d][3];
        balance -= credit[d];
    }
    // A deposit may raise a balance of a reduce-only account.
    component isCashCredit[DEPOSITS];
    signal creditIsFree[DEPOSITS][MEMBERS];
    signal tokenCredit[DEPOSITS];
    signal freeCredit[DEPOSITS];
    for (var d = 0; d < DEPOSITS; d++) {
        isCashCredit[d] = EqualsZero();
        isCashCredit[d].in <== depositWord[d][2] - CASH_ID();
        tokenCredit[d] <== (1 - isCashCredit[d].out) * credit[d];
        var isOfReduceOnly = 0;
        for (var a = 0; a < MEMBERS; a++) {
            creditIsFree[d][a] <== depositChoice[d][a] * isReduceOnly[a];
            isOfReduceOnly += creditIsFree[d][a];
        }
        freeCredit[d] <== isOfReduceOnly * tokenCredit[d];
        reduction -= freeCredit[d];
    }
    // A forced payment: a word that is zero in requests of other kinds.
    signal forcedKey[REQUESTS];
    signal forcedTerm[REQUESTS];
    for (var q = 0; q < REQUESTS; q++) {
        forcedKey[q] <== draw.out[CH_INSTRUMENT()] * requestWord[q][2];
        forcedTerm[q] <-- requestWord[q][5] / (draw.out[CH_POINT()] - requestWord[q][1] - forcedKey[q]);
        forcedTerm[q] * (draw.out[CH_POINT()] - requestWord[q][1] - forcedKey[q]) === requestWord[q][5];
        balance += forcedTerm[q];
    }
    component reductionTerms[REDUCTIONS];
    for (var t = 0; t < REDUCTIONS; t++) {
        reductionTerms[t] = ReductionTerms();
        reductionTerms[t].challenge <== draw.out;
        reductionTerms[t].isUsed <== reductionSlot[t].isUsed;
        reductionTerms[t].account <== reductionSlot[t].account;
        reductionTerms[t].id <== reductionId[t];
        reductionTerms[t].kept <== reductionKept[t];
        reductionTerms[t].closed <== reductionClosed[t];
        reductionTerms[t].isShort <== reductionIsShort[t];
        reduction -= reductionTerms[t].term;
    }
    component withdrawalTerms[WITHDRAWALS];
    for (var w = 0; w < WITHDRAWALS; w++) {
        withdrawalTerms[w] = WithdrawalTerms();
        withdrawalTerms[w].challenge <== draw.out;
        withdrawalTerms[w].account <== withdrawal[w].account;
        withdrawalTerms[w].token <== withdrawalWord[w][0];
        withdrawalTerms[w].amount <== withdrawalWord[w][1];
        withdrawalTerms[w].to <== withdrawalWord[w][2];
        withdrawalTerms[w].stamp <== withdrawalStamp[w];
        pair += withdrawalTerms[w].pair;
    }

    signal rotationHeadKey[ROTATIONS];
    signal rotationPayloadKey[ROTATIONS];
    signal rotationTerm[ROTATIONS];
    for (var k = 0; k < ROTATIONS; k++) {
        rotationHeadKey[k] <== draw.out[CH_HEAD()] * rotationSlot[k].head;
        rotationPayloadKey[k] <== draw.out[CH_ROTATION()] * rotationSlot[k].payload;
        var key = rotationSlot[k].account + rotationHeadKey[k] + rotationPayloadKey[k];
        rotationTerm[k] <-- rotationIsUsed[k] / (draw.out[CH_POINT()] - key);
        rotationTerm[k] * (draw.out[CH_POINT()] - key) === rotationIsUsed[k];
        rotation += rotationTerm[k];
    }

    // 4. BalanceMustFollowPages: entries + deposits - fees + conversions - forced payments = change of
    // every balance
    balance === 0;
    // 5. TradeMustMatch: both sides of each trade, or neither; withdrawals one to one
    pair === 0;
    // 6. JournalMustContinue: old heads + produced heads = consumed heads + new heads
    journal === 0;
    // 7. PagesMustBeCounted: each account pays for the pages it has live
    count === 0;
    // 8. RotationMustEndItsJournal: a live rotation page is its account's last, with the new keys
    rotation === 0;
    // 9. InstrumentMustBeListed: every balance, old and new, stands in a row
    lookup === 0;
    // 10. WorthMustFollowTable: the worth claimed per world is balances times values
    worth === 0;
    // 11. ConversionMustBeExact: cash for a settled balance is the old balance times its value
    conversion === 0;
    // 12. ReduceOnlyMustReduce: in a reduce-only account with pages a balance besides cash stays or is
    // reduced, deposits apart
    reduction === 0;
}

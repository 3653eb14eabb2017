// What holds a batch together: sums of fractions at random points, which are zero only if both sides
// of each rule have the same terms. docs/soundness.md has the argument.
//
//  1. BalanceMustFollowPages
//  2. TradeMustMatch
//  3. JournalMustContinue
//  4. PagesMustBeCounted
//  5. RotationMustEndItsJournal
//  6. InstrumentMustBeListed
//  7. WorthMustFollowTable
//  8. ConversionMustBeExact
//  9. ReduceOnlyMustReduce
pragma circom 2.2.0;

include "challenges.circom";
include "edges.circom";
include "lib/bits.circom";
include "member-terms.circom";
include "page.circom";
include "records.circom";
include "reduction.circom";
include "row.circom";
include "generated/params.circom";

// One template, as each of its sums would cost a constraint more if it came out of another.
template Identities(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, REQUESTS, ROTATIONS, RESCUES,
    REDUCTIONS) {
    signal input x;
    input Words(MEMBERS, DEPOSITS, REQUESTS, WITHDRAWALS) words;
    input Slots(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS, RESCUES, REDUCTIONS) slots;
    input Facts(PAGES, MEMBERS, ROWS, DEPOSITS, WITHDRAWALS, ROTATIONS, REDUCTIONS) facts;
    signal input rowQuantity[ROWS];
    signal input rowSize[ROWS];

    component draw = Draw(MEMBERS, ROWS);
    draw.x <== x;
    draw.rowQuantity <== rowQuantity;
    draw.rowSize <== rowSize;
    var point = draw.challenge.first[CH_POINT()];

    var balance = 0;
    var pair = 0;
    var journal = 0;
    var count = 0;
    var rotation = 0;
    var lookup = 0;
    var worth = 0;
    var conversion = 0;
    var reduction = 0;

    component page[PAGES];
    for (var i = 0; i < PAGES; i++) {
        page[i] = PageTerms();
        page[i].challenge <== draw.challenge.first;
        page[i].slot <== slots.page[i];
        page[i].fact <== facts.page[i];
        for (var k = 0; k < 4; k++) {
            balance -= page[i].balanceTerm[k];
            pair += page[i].pairTerm[k];
        }
        pair += page[i].pairTerm[4];
        journal += page[i].produced - page[i].consumed;
        count -= page[i].count;
        rotation -= page[i].rotation;
    }

    component member[MEMBERS];
    signal lookupShare[MEMBERS];
    signal worthShare[MEMBERS];
    signal conversionShare[MEMBERS];
    for (var a = 0; a < MEMBERS; a++) {
        member[a] = MemberTerms();
        member[a].challenge <== draw.challenge;
        member[a].index <== words.account[a].index;
        member[a].slot <== slots.account[a];
        member[a].claim <== slots.claim[a];
        member[a].fact <== facts.account[a];
        balance += member[a].balance;
        journal += member[a].journal;
        count += member[a].count;
        reduction += member[a].reduction;
        lookupShare[a] <== draw.accountWeight[a] * member[a].lookup;
        lookup += lookupShare[a];
        worthShare[a] <== draw.accountWeight[a] * member[a].worth;
        worth += worthShare[a];
        conversionShare[a] <== draw.accountWeight[a] * slots.claim[a].conversionCash;
        conversion += conversionShare[a];
    }
    component rescue[RESCUES];
    for (var k = 0; k < RESCUES; k++) {
        rescue[k] = RescueTerms(MEMBERS);
        rescue[k].challenge <== draw.challenge;
        rescue[k].accountWeight <== draw.accountWeight;
        rescue[k].slot <== slots.rescue[k];
        for (var a = 0; a < MEMBERS; a++) {
            rescue[k].oldCash[a] <== slots.account[a].old.quantity[0];
            rescue[k].conversionCash[a] <== slots.claim[a].conversionCash;
        }
        worth += rescue[k].worth;
    }

    component row[ROWS];
    for (var r = 0; r < ROWS; r++) {
        row[r] = RowTerms();
        row[r].challenge <== draw.challenge;
        row[r].slot <== slots.row[r];
        row[r].fact <== facts.row[r];
        row[r].rowQuantity <== rowQuantity[r];
        row[r].rowSize <== rowSize[r];
        lookup -= row[r].lookup;
        worth -= row[r].worth;
        conversion -= row[r].conversion;
    }

    signal creditKey[DEPOSITS];
    signal credit[DEPOSITS];
    component isCash[DEPOSITS];
    signal creditIsFree[DEPOSITS][MEMBERS];
    signal tokenCredit[DEPOSITS];
    signal freeCredit[DEPOSITS];
    for (var d = 0; d < DEPOSITS; d++) {
        creditKey[d] <== draw.challenge.first[CH_INSTRUMENT()] * words.deposit[d].token;
        credit[d] <-- words.deposit[d].amount / (point - facts.depositAccount[d] - creditKey[d]);
        credit[d] * (point - facts.depositAccount[d] - creditKey[d]) === words.deposit[d].amount;
        balance -= credit[d];
        // A deposit may raise a balance of a reduce-only account.
        isCash[d] = EqualsZero();
        isCash[d].in <== words.deposit[d].token - CASH_ID();
        tokenCredit[d] <== (1 - isCash[d].out) * credit[d];
        var isOfReduceOnly = 0;
        for (var a = 0; a < MEMBERS; a++) {
            creditIsFree[d][a] <== slots.deposit[d].choice[a] * facts.account[a].isReduceOnly;
            isOfReduceOnly += creditIsFree[d][a];
        }
        freeCredit[d] <== isOfReduceOnly * tokenCredit[d];
        reduction -= freeCredit[d];
    }
    // A forced payment: a word that is zero in requests of other kinds.
    signal forcedKey[REQUESTS];
    signal forced[REQUESTS];
    for (var q = 0; q < REQUESTS; q++) {
        forcedKey[q] <== draw.challenge.first[CH_INSTRUMENT()] * words.request[q].data[0];
        forced[q] <-- words.request[q].data[3] / (point - words.request[q].account - forcedKey[q]);
        forced[q] * (point - words.request[q].account - forcedKey[q]) === words.request[q].data[3];
        balance += forced[q];
    }
    component withdrawal[WITHDRAWALS];
    for (var w = 0; w < WITHDRAWALS; w++) {
        withdrawal[w] = WithdrawalTerms();
        withdrawal[w].challenge <== draw.challenge.first;
        withdrawal[w].word <== words.withdrawal[w];
        withdrawal[w].account <== facts.withdrawalAccount[w];
        withdrawal[w].stamp <== slots.withdrawal[w].stamp;
        pair += withdrawal[w].pair;
    }
    component reduced[REDUCTIONS];
    for (var t = 0; t < REDUCTIONS; t++) {
        reduced[t] = ReductionTerms(MEMBERS);
        reduced[t].challenge <== draw.challenge.first;
        reduced[t].slot <== slots.reduction[t];
        reduced[t].fact <== facts.reduction[t];
        reduction -= reduced[t].term;
    }
    signal headKey[ROTATIONS];
    signal payloadKey[ROTATIONS];
    signal rotated[ROTATIONS];
    for (var k = 0; k < ROTATIONS; k++) {
        headKey[k] <== draw.challenge.first[CH_HEAD()] * facts.rotation[k].head;
        payloadKey[k] <== draw.challenge.first[CH_ROTATION()] * facts.rotation[k].payload;
        var key = facts.rotation[k].account + headKey[k] + payloadKey[k];
        rotated[k] <-- slots.rotation[k].isUsed / (point - key);
        rotated[k] * (point - key) === slots.rotation[k].isUsed;
        rotation += rotated[k];
    }

    // 1. BalanceMustFollowPages: entries + deposits - fees + conversions - forced payments = change of
    // every balance
    balance === 0;
    // 2. TradeMustMatch: both sides of each trade, or neither; withdrawals one to one
    pair === 0;
    // 3. JournalMustContinue: old heads + produced heads = consumed heads + new heads
    journal === 0;
    // 4. PagesMustBeCounted: each account pays for the pages it has live
    count === 0;
    // 5. RotationMustEndItsJournal: a live rotation page is its account's last, with the new keys
    rotation === 0;
    // 6. InstrumentMustBeListed: every balance, old and new, stands in a row
    lookup === 0;
    // 7. WorthMustFollowTable: the worth claimed per world is balances times values
    worth === 0;
    // 8. ConversionMustBeExact: cash for a settled balance is the old balance times its value
    conversion === 0;
    // 9. ReduceOnlyMustReduce: in a reduce-only account with pages a balance besides cash stays or is
    // reduced, deposits apart
    reduction === 0;
}

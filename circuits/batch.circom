// A batch: pages are netted, accounts move from old leaves to new ones, L1 learns words only.
//
//  1. ModeMustBeKnown
//
// Its other rules are those of its parts: what happens to each page, account and edge stands in their
// own files, what C and the words bind in batch-statement.circom, what holds them together in
// batch-identities.circom.
pragma circom 2.2.0;

include "batch-accounts.circom";
include "batch-edges.circom";
include "batch-identities.circom";
include "batch-statement.circom";
include "exit.circom";
include "flag.circom";
include "lib/bits.circom";
include "page.circom";
include "records.circom";
include "row.circom";
include "state.circom";

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
    input Words(MEMBERS, DEPOSITS, REQUESTS, WITHDRAWALS) words;

    // All that a challenge ranges over, and the sums per row, which are named once x is known.
    input Slots(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS, RESCUES, REDUCTIONS) slots;
    signal input rowQuantity[ROWS];
    signal input rowSize[ROWS];
    // All that no challenge ranges over.
    input FeeAccountSlot() feeAccount;
    input RequestSlot(MEMBERS) request[REQUESTS];
    input ForcedExitSlot(REQUESTS, ROWS) forcedExit[FORCED_EXITS];
    input CallSlot() call[RESCUES];
    input ReleaseSlot(MEMBERS) release[RELEASES];
    // The tree: the fee account comes first.
    signal input topNode[8];
    signal input child[MEMBERS + 1][TREE_DEPTH() - 1][8];

    // 1. ModeMustBeKnown: normal or reduce-only, reserved words zero, time within its width
    component modeFlag = AssertBoolean();
    modeFlag.in <== words.header.mode;
    words.header.reserved0 === 0;
    words.header.reserved1 === 0;
    component timeRange = AssertInRange(TIME_BITS());
    timeRange.in <== words.header.time;
    component feeRange = AssertInRange(FEE_BITS());
    feeRange.in <== words.header.fee;

    Facts(PAGES, MEMBERS, ROWS, DEPOSITS, WITHDRAWALS, ROTATIONS, REDUCTIONS) facts;
    component page[PAGES];
    for (var i = 0; i < PAGES; i++) {
        page[i] = Page();
        page[i].time <== words.header.time;
        page[i].fee <== words.header.fee;
        page[i].slot <== slots.page[i];
        facts.page[i] <== page[i].fact;
    }

    component accounts = Accounts(MEMBERS, DEPOSITS, ROTATIONS, RESCUES);
    accounts.header <== words.header;
    accounts.word <== words.account;
    accounts.slot <== slots.account;
    accounts.claim <== slots.claim;
    accounts.deposit <== slots.deposit;
    accounts.rotation <== slots.rotation;
    accounts.rescue <== slots.rescue;
    facts.account <== accounts.fact;

    component fee = FeeAccount();
    fee.batchNumber <== words.header.batchNumber;
    fee.batchNonce <== words.header.batchNonce;
    fee.word <== words.feeAccount;
    fee.slot <== feeAccount;
    fee.fees <== accounts.fees;

    component flags = FlagSteps(MEMBERS, RESCUES, RELEASES);
    flags.time <== words.header.time;
    flags.mode <== words.header.mode;
    flags.tableRoot <== words.header.tableRoot;
    flags.confirmedTableRoot <== words.header.confirmedTableRoot;
    flags.callSlot <== call;
    flags.releaseSlot <== release;
    flags.rescue <== slots.rescue;
    flags.account <== slots.account;
    flags.claim <== slots.claim;
    flags.fact <== facts.account;

    component state = StateUpdate(MEMBERS + 1);
    state.oldRoot <== words.header.oldRoot;
    state.newRoot <== words.header.newRoot;
    state.topNode <== topNode;
    state.child <== child;
    state.index[0] <== words.feeAccount.index;
    state.oldLeaf[0] <== fee.oldLeaf;
    state.newLeaf[0] <== words.feeAccount.leaf;
    for (var a = 0; a < MEMBERS; a++) {
        state.index[a + 1] <== words.account[a].index;
        state.oldLeaf[a + 1] <== facts.account[a].oldLeaf;
        state.newLeaf[a + 1] <== words.account[a].leaf;
    }

    component rows = Rows(ROWS, ROWS_PER_NODE);
    rows.tableRoot <== words.header.tableRoot;
    rows.settlementRoot <== words.header.settlementRoot;
    rows.opening <== slots.opening;
    rows.slot <== slots.row;
    facts.row <== rows.fact;

    component edges = Edges(MEMBERS, DEPOSITS, WITHDRAWALS, REQUESTS, ROTATIONS, REDUCTIONS);
    edges.words <== words;
    edges.account <== slots.account;
    edges.fact <== facts.account;
    edges.depositSlot <== slots.deposit;
    edges.withdrawalSlot <== slots.withdrawal;
    edges.requestSlot <== request;
    edges.rotationSlot <== slots.rotation;
    edges.reductionSlot <== slots.reduction;
    facts.depositAccount <== edges.depositAccount;
    facts.withdrawalAccount <== edges.withdrawalAccount;
    facts.rotation <== edges.rotationFact;
    facts.reduction <== edges.reductionFact;

    component forcedExits = ForcedExits(FORCED_EXITS, REQUESTS, MEMBERS, ROWS, RESCUES);
    forcedExits.isForced <== edges.isForced;
    forcedExits.word <== words.request;
    forcedExits.request <== request;
    forcedExits.slot <== forcedExit;
    forcedExits.account <== slots.account;
    forcedExits.claim <== slots.claim;
    forcedExits.rescue <== slots.rescue;
    forcedExits.row <== slots.row;

    component statement = BatchStatement(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, REQUESTS,
        ROTATIONS, RESCUES, REDUCTIONS);
    statement.C <== C;
    statement.x <== x;
    statement.y <== y;
    statement.salt <== commitmentSalt;
    statement.words <== words;
    statement.slots <== slots;
    statement.facts <== facts;

    component identities = Identities(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, REQUESTS,
        ROTATIONS, RESCUES, REDUCTIONS);
    identities.x <== x;
    identities.words <== words;
    identities.slots <== slots;
    identities.facts <== facts;
    identities.rowQuantity <== rowQuantity;
    identities.rowSize <== rowSize;
}

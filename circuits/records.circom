// The records of a batch: the words that L1 sees, the slots that a prover fills, what is proven of an
// account on the way. A field of a slot is free until a rule binds it. circuits/records.ts fills the
// slots in this order.
pragma circom 2.2.0;

include "generated/params.circom";

// What L1 sees, in the order in which it is hashed and evaluated.

bus Header() {
    signal domain;
    signal batchNumber;
    signal time;
    signal mode;
    signal oldRoot;
    signal newRoot;
    signal tableNumber;
    signal tableRoot;
    signal confirmedTableRoot;
    signal settlementRoot;
    signal fee;
    signal accountCountBefore;
    signal accountCountAfter;
    signal batchNonce;
    signal reserved0;
    signal reserved1;
}

bus DepositWords() {
    signal id;
    signal commitment;
    signal token;
    signal amount;
}

// data: of a registration or rotation the key point, view key hash (of a registration), zero;
// of a forced exit token, address, free vault, amount paid.
bus RequestWords() {
    signal kindAndSerial;
    signal account;
    signal data[4];
}

bus WithdrawalWords() {
    signal token;
    signal amount;
    signal to;
}

bus AccountWords() {
    signal index;
    signal leaf;
    signal cipher[CIPHER_WORD_COUNT()];
}

bus Words(MEMBERS, DEPOSITS, REQUESTS, WITHDRAWALS) {
    Header() header;
    DepositWords() deposit[DEPOSITS];
    RequestWords() request[REQUESTS];
    WithdrawalWords() withdrawal[WITHDRAWALS];
    AccountWords() feeAccount;
    AccountWords() account[MEMBERS];
}

// What a prover fills in.

bus PageSlot() {
    signal isLive;
    signal isSkipped;
    signal kindBit[2];
    signal account;
    signal counterparty;
    signal stamp;
    signal maxFee;
    signal previousHead;
    signal payload;
    signal instrument[3];
    signal quantity[3];
    signal price[3];
}

// A list of balances: cash first, which has no id.
bus Holdings() {
    signal id[SLOT_COUNT() - 1];
    signal quantity[SLOT_COUNT()];
}

bus AccountSlot() {
    // Which named steps change the account.
    signal isEmpty;
    signal isRegistered;
    signal isRotatedByL1;
    signal isForced;
    // Whether a forced exit pays something, and what a flag step adds to meta: bound by their slots.
    signal isPaid;
    signal flagChange;
    signal isSigned;
    // The leaf before.
    signal oldOwnerKeyHash;
    signal oldViewKeyHash;
    signal oldHead;
    signal oldMeta;
    signal oldSalt;
    Holdings() old;
    // The leaf after.
    signal newOwnerKeyHash;
    signal newHead;
    signal viewKey;
    Holdings() next;
    // Of the last head, under the owner key of the old leaf.
    signal signerX;
    signal signerY;
    signal signatureX;
    signal signatureY;
    signal signatureS;
}

// What the identities hold an account to: bound by C, as a challenge ranges over it.
bus Claim() {
    signal isConverted[SLOT_COUNT() - 1];
    signal isReduced[SLOT_COUNT() - 1];
    signal conversionCash;
    signal liveCount;
    // New worth by world, less the old worth where a rescue slot says so.
    signal difference[WORLD_COUNT()];
}

bus FeeAccountSlot() {
    signal viewKeyHash;
    signal meta;
    signal salt;
    signal cash;
    signal viewKey;
}

bus RescueSlot(MEMBERS) {
    signal choice[MEMBERS];
    signal isWorse[WORLD_COUNT()];
    signal oldWorth[WORLD_COUNT()];
}

// isStep: ACTIVE to CALLED, EXITING to CALLED, CALLED to LIQUIDATING. World 0 has no margin.
bus CallSlot() {
    signal isStep[3];
    signal world[WORLD_COUNT() - 1];
}

// isStep: from CALLED, from LIQUIDATING, from EXITING.
bus ReleaseSlot(MEMBERS) {
    signal choice[MEMBERS];
    signal isStep[3];
}

bus DepositSlot(MEMBERS) {
    signal secret;
    signal choice[MEMBERS];
}

bus WithdrawalSlot(MEMBERS) {
    signal stamp;
    signal choice[MEMBERS];
}

bus RequestSlot(MEMBERS) {
    signal serial;
    signal choice[MEMBERS];
}

bus RotationSlot(MEMBERS) {
    signal isUsed;
    signal x;
    signal y;
    signal choice[MEMBERS];
}

// The cap that binds a payment, the world and the row that show it.
bus Cap(ROWS) {
    signal is[4];
    signal world[WORLD_COUNT()];
    signal row[ROWS];
}

bus ForcedExitSlot(REQUESTS, ROWS) {
    signal choice[REQUESTS];
    Cap(ROWS) cap;
}

bus ReductionSlot(MEMBERS) {
    signal choice[MEMBERS];
    signal id;
    signal kept;
    signal closed;
    signal isShort;
}

// place: 3 bits of the row's place in its node.
bus RowSlot() {
    signal isUsed;
    signal place[3];
    signal id;
    signal status;
    signal addOn;
    signal value[ROW_VALUE_COUNT()];
}

// What the rows are read from: the table, windows of the register, NODES nodes of eight rows.
bus Opening(NODES) {
    signal marksRoot;
    signal tableFlags;
    signal tableNode[TABLE_NODE_COUNT()];
    signal settledNode[WINDOW_COUNT()][8];
    signal windowBit[WINDOW_COUNT()][3 * (SETTLEMENT_DEPTH() - WINDOW_DEPTH())];
    signal windowChild[WINDOW_COUNT()][SETTLEMENT_DEPTH() - WINDOW_DEPTH()][8];
    signal nodePosition[NODES][NODE_POSITION_BITS()];
    signal nodeChild[NODES][8];
}

// All that a challenge ranges over besides the words.
bus Slots(PAGES, MEMBERS, ROWS, NODES, DEPOSITS, WITHDRAWALS, ROTATIONS, RESCUES, REDUCTIONS) {
    PageSlot() page[PAGES];
    AccountSlot() account[MEMBERS];
    Claim() claim[MEMBERS];
    RescueSlot(MEMBERS) rescue[RESCUES];
    Opening(NODES) opening;
    RowSlot() row[ROWS];
    DepositSlot(MEMBERS) deposit[DEPOSITS];
    WithdrawalSlot(MEMBERS) withdrawal[WITHDRAWALS];
    RotationSlot(MEMBERS) rotation[ROTATIONS];
    ReductionSlot(MEMBERS) reduction[REDUCTIONS];
}

// What one part of a batch proves and another goes on with.

bus PageFacts() {
    signal head;
    signal isRotation;
}

bus AccountFacts() {
    signal oldLeaf;
    signal newViewKeyHash;
    signal oldSize[SLOT_COUNT() - 1];
    signal newSize[SLOT_COUNT() - 1];
    signal status;
    signal highestId;
    signal isRescue;
    signal isReduceOnly;
    signal liveCountBit[LIVE_COUNT_BITS()];
    signal feePaid;
}

bus RowFacts() {
    signal isToken;
    signal isSettled;
}

bus RotationFacts() {
    signal account;
    signal head;
    signal payload;
}

bus ReductionFacts() {
    signal isUsed;
    signal account;
    signal word;
}

bus Facts(PAGES, MEMBERS, ROWS, DEPOSITS, WITHDRAWALS, ROTATIONS, REDUCTIONS) {
    PageFacts() page[PAGES];
    AccountFacts() account[MEMBERS];
    RowFacts() row[ROWS];
    signal depositAccount[DEPOSITS];
    signal withdrawalAccount[WITHDRAWALS];
    RotationFacts() rotation[ROTATIONS];
    ReductionFacts() reduction[REDUCTIONS];
}

// What is drawn: first from x, then, with the sums per row fixed, second. Weights are powers.
bus Challenges() {
    signal first[17];
    signal second[3];
    signal worldWeight[WORLD_COUNT()];
    signal stressWeight;
    signal inverseMu;
}

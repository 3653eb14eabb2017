/** What a reader needs of the contract's ABI, as contracts/ICloister.sol declares it. */

export const CLOISTER_ABI = [
  'event Genesis(uint256 root, uint256 feeAccountLeaf, uint256 feeAccountViewKeyHash, uint256 ' +
    'feeAccountMeta)',
  'event TokenAdded(uint256 indexed id, address indexed token, uint256 unit, uint256 cap)',
  'event ShapeAdded(uint256 indexed id, string name, address verifier, bytes32 keyHash, bool ' +
    'isDevelopmentKey)',
  'event FeeSet(uint256 fee)',
  'event Registered(uint256 indexed account, address indexed l1Owner)',
  'event RequestQueued(uint256 indexed serial, uint256 indexed account, uint8 kind, uint256 x, ' +
    'uint256 y, uint256 viewKeyHash)',
  'event L1OwnerOffered(uint256 indexed account, address indexed nextL1Owner)',
  'event L1OwnerChanged(uint256 indexed account, address indexed l1Owner)',
  'event Deposited(uint256 indexed id, address indexed depositor, uint256 indexed token, uint256 ' +
    'amount, uint256 commitment)',
  'event RefundRequested(uint256 indexed id, uint256 dueAt)',
  'event Refunded(uint256 indexed id)',
  'event TablePosted(uint256 indexed number, uint256 root, uint256 marksRoot, bytes32 dataHash, ' +
    'uint256 time, bytes marks)',
  'event SettlementPosted(uint256[] ids, int256[] values, uint256 root)',
  'event Batch(uint256 indexed number, uint256 indexed shapeId, uint256 newRoot, uint256 ' +
    'commitment, uint256 x, bytes words)',
  'event TableConfirmed(uint256 indexed number)',
  'event ModeSet(uint256 mode)',
  'event Frozen(uint8 ground, uint256 batch, uint256 table, uint256 claimsEndAt)',
  'event EscapeClaimed(uint256 indexed account, address indexed claimant, uint256 equity, uint256 ' +
    'amount)',
  'event EscapePaid(uint256 indexed account, uint256 indexed token, address indexed to, uint256 ' +
    'amount)',
  'event Claimed(uint256 indexed batch, uint256 indexed slot, address indexed to, uint256 token, ' +
    'uint256 amount)',
  'event SweepCompleted(uint256 indexed table, uint256 indexed batch, uint256 flagged, uint256 ' +
    'shortfall)',
  'event EscapeShapeAdded(uint256 indexed id, string name, address verifier, bytes32 keyHash, bool ' +
    'isDevelopmentKey)',

  'event SweepShapeAdded(uint256 indexed id, string name, uint256 accounts, address verifier, bytes32 ' +
    'keyHash, bool isDevelopmentKey)',
  'event RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)',
  'event RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)',
  'event Sealed(address lock)',

  'function submitBatch((uint256 shapeId, uint256 time, uint256 newRoot, uint256 tableNumber, ' +
    'uint256 batchNonce, uint256 requestCount) header, uint64[] depositIds, (uint256 token, ' +
    'uint256 amount, address to)[] withdrawals, uint64[] forcedPayments, uint256[] accountWords, uint256 commitment, ' +
    'uint256[8] proof)',

  'function domain() view returns (uint256)',
  'function extension() view returns (address)',
  'function lock() view returns (address)',
  'function isSealed() view returns (bool)',
  'function isPaused() view returns (bool)',
  'function fee() view returns (uint256)',
  'function batchNumber() view returns (uint256)',
  'function batches(uint256 number) view returns ((uint256 root, uint64 tableNumber, uint64 ' +
    'time, uint32 accountCount, uint64 served, bytes32 withdrawalsRoot))',
  'function accountCount() view returns (uint256)',
  'function requestCount() view returns (uint256)',
  'function served() view returns (uint256)',
  'function depositCount() view returns (uint256)',
  'function deposits(uint256 id) view returns ((uint256 commitment, address depositor, uint64 ' +
    'refundRequestedAt, uint16 token, uint64 amount, uint8 status))',
  'function tokens(uint256 id) view returns ((address token, uint96 unit, uint64 vault, uint64 ' +
    'owed, uint64 unconsumed, uint64 cap))',
  'function shapes(uint256 id) view returns ((address verifier, uint16 members, uint16 deposits, ' +
    'uint16 withdrawals, uint16 requests, bool isDevelopmentKey, bytes32 keyHash))',
  'function tableNumber() view returns (uint256)',
  'function tables(uint256 number) view returns (uint256 root, uint256 time)',
  'function confirmedTableNumber() view returns (uint256)',
  'function settlementRoot() view returns (uint256)',
  'function settlement(uint256 id) view returns (bool isSet, int256 value)',
]

/** What the L1 owner can do and ask: another key, and the way out. */
export const EXIT_ABI = [
  'function account(uint256 index) view returns ((address l1Owner, uint64 rotation, address ' +
    'nextL1Owner, uint64 forcedExit))',
  'function request(uint256 serial) view returns ((uint8 kind, uint32 account, uint64 requestedAt, ' +
    'uint256 x, uint256 y, uint256 viewKeyHash))',
  'function forcedExitQueue() view returns ((uint256 pending, uint256 capacity, uint256 fullSince, ' +
    'uint256 price))',
  'function groundHolds(uint8 ground, uint256 serial) view returns (bool)',
  'function serviceTime() view returns (uint256)',
  'function terms() view returns ((uint256 refundDelay, uint256 forceDelay, uint256 fullDelay, ' +
    'uint256 unwindDelay, uint256 batchDelay, uint256 tableDelay, uint256 sweepDelay, uint256 ' +
    'tableLife, uint256 lateSweepDelay, uint256 sweepEpoch, uint256 flagDelay, uint256 callDelay, ' +
    'uint256 claimsWindow, uint256 forcePrice))',
  'function sweep() view returns ((uint256 table, uint256 time, bool isFixed, uint256 batch, uint256 ' +
    'accountCount, uint256 settlementRoot, uint256 next, uint256 flagged, uint256 shortfall, uint256 ' +
    'sweptAt))',
  'function isFrozen() view returns (bool)',
  'function escape() view returns ((uint256 frozenAt, uint256 claimsEndAt, bool isPotValued, uint256 ' +
    'potValue, uint256 claims, uint256 lateClaims))',
  'function escapeClaims(uint256 account) view returns ((uint128 amount, bool isMade))',
  'function pot(uint256 token) view returns (uint256)',

  'function rotate(uint256 account, uint256 x, uint256 y)',
  'function forceExit(uint256 account, uint256 token, address to) payable returns (uint256)',
  'function freeze(uint8 ground, uint256 serial)',
  'function escapeClaim(uint256 shapeId, uint256 account, uint256 equity, uint256[8] proof)',
  'function valuePot(bytes marks)',
  'function escapePay(uint256 account, uint256 token, address to)',
  'function claim(uint256 batchNumber, uint256 slot, uint256 token, uint256 amount, address to, ' +
    'bytes32[] proof)',
  'function requestRefund(uint256 id)',
  'function takeRefund(uint256 id)',
]

export const CLAIM_VERIFIER_ABI = [
  'function verifyProof(uint256[2] a, uint256[2][2] b, uint256[2] c, uint256[5] input) view ' +
    'returns (bool)',
]

export const VERIFIER_ABI = [
  'function verifyProof(uint256[2] a, uint256[2][2] b, uint256[2] c, uint256[3] input) view ' +
    'returns (bool)',
]

export const ERC20_ABI = ['function balanceOf(address holder) view returns (uint256)']

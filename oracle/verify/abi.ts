/** What readers and writers of the oracle need of contracts/ITableOracle.sol. */

const REFERENCE = '(uint32 underlying, uint64 price)'
const REPORT =
  '(uint64 number, uint64 time, uint256 tableRoot, uint256 marksRoot, uint256 worldsRoot, ' +
  `bytes32 worldsHash, bytes32 instrumentsHash, bytes market, bytes marks, ${REFERENCE}[] references)`
const SETTLEMENT =
  '(uint64 serial, uint64 windowStart, uint64 windowEnd, uint256 previousRoot, uint256 newRoot, ' +
  'bytes data, uint256[] ids, int256[] values)'

export const ORACLE_ABI = [
  'event SignersSet(address[] signers, uint256 quorum, uint256 largeQuorum)',
  'event UnderlyingAdded(uint256 indexed underlying, string name)',
  'event WorldsSet(bytes32 indexed worldsHash, bytes document)',
  'event InstrumentsSet(bytes32 indexed instrumentsHash)',
  'event InstrumentsProposed(bytes32 indexed instrumentsHash, ' +
    '(uint32 id, uint64 expiry, bytes32 specification)[] added, ' +
    'bytes document)',
  'event Reported(uint256 indexed number, bytes32 digest, uint256 time, bool isConfirmed, ' +
    'uint256 tableRoot, bytes32 worldsHash, bytes32 instrumentsHash, ' +
    `${REFERENCE}[] references, bytes market)`,
  'event Confirmed(uint256 indexed number)',
  `event SettlementProposed(uint256 indexed serial, bytes32 digest, uint256 dueAt, ${SETTLEMENT} ` +
    'report)',
  'event SettlementVetoed(uint256 indexed serial)',
  'event SettlementFinal(uint256 indexed serial, uint256[] ids, int256[] values, uint256 root)',

  `function post(${REPORT} report, bytes[] signatures) returns (bool isConfirmed)`,
  'function confirm(uint256 number, bytes[] signatures)',
  `function settle(${SETTLEMENT} report, bytes[] signatures)`,
  `function replaceSettlement(${SETTLEMENT} report, bytes[] signatures)`,
  'function vetoSettlement(uint256 serial, bytes[] signatures)',
  `function finaliseSettlement(${SETTLEMENT} report)`,

  'function house() view returns (address)',
  'function isSigner(address signer) view returns (bool)',
  'function quorums() view returns (uint256 count, uint256 quorum, uint256 largeQuorum)',
  'function timing() view returns ((uint32 maxAge, uint32 confirmWindow, uint32 agreementDelay, ' +
    'uint32 settlementWindow, uint32 challengeDelay))',
  'function underlying(uint256 id) view returns ((uint16 band, uint16 jumpBand, uint16 feedBand, ' +
    'uint32 feedMaxAge, address feed) band, uint256 confirmed, uint256 candidate, bool isActive)',
  'function latest() view returns (uint64 number, uint64 time, bool isConfirmed)',
  'function latestDigest() view returns (bytes32)',
  'function pendingSettlement() view returns (uint64 serial, uint64 dueAt, bool isPending, ' +
    'bytes32 digest)',
]

const BAND = '(uint16 band, uint16 jumpBand, uint16 feedBand, uint32 feedMaxAge, address feed)'
export const ORACLE_SETTERS_ABI = [
  'function setSigners(address[] signers, uint256 quorum, uint256 largeQuorum)',
  'function setTiming((uint32 maxAge, uint32 confirmWindow, uint32 agreementDelay, ' +
    'uint32 settlementWindow, uint32 challengeDelay) timing)',
  `function addUnderlying(string name, ${BAND} band)`,
  'function setWorlds(bytes document)',
  'function worldsHash() view returns (bytes32)',
  'function list((uint32 id, uint64 expiry, bytes32 specification)[] added, bytes document)',
]

export const HOUSE_ABI = [
  'event TablePosted(uint256 indexed number, uint256 root, uint256 marksRoot, bytes32 dataHash, ' +
    'uint256 time, bytes marks)',
  'event SettlementPosted(uint256[] ids, int256[] values, uint256 root)',
  'function tableNumber() view returns (uint256)',
  'function settlementRoot() view returns (uint256)',
  'function settlementRoom() view returns (uint256)',
  'function cloister() view returns (address)',
]

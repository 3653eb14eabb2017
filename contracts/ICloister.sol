// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title What the chain knows of the clearing house: structs, events, errors and functions.
/// @notice Amounts are in lots, a lot being `unit` raw units of its token. Times are in seconds. A
/// word is a number below the modulus of the scalar field of BN254. The contract verifies and pays;
/// it has no opinion about margin.
interface ICloister {
    // ---------------------------------------------------------------------------------------- data

    /// @param admin Adds tokens and shapes, sets the fee, grants roles (immediately, for now).
    /// @param operator Submits batches and countersigns registrations.
    /// @param oracle Posts tables and settlement values.
    /// @param genesisRoot Root of the account tree of batch 0, whose only leaf is the fee account.
    /// @param feeAccountLeaf Leaf 0 of that tree.
    /// @param feeAccountViewKeyHash Hash of the view key that opens the fee account.
    /// @param feeAccountMeta The meta word of the fee account.
    /// @param settlementRoot Root of the empty settlement register.
    /// @param fee Micro-dollars a page, below 2^40.
    /// @param refundDelay Seconds between the request and the refund of a deposit; longer than the
    /// life of a page.
    struct Configuration {
        address admin;
        address operator;
        address oracle;
        uint256 genesisRoot;
        uint256 feeAccountLeaf;
        uint256 feeAccountViewKeyHash;
        uint256 feeAccountMeta;
        uint256 settlementRoot;
        uint256 fee;
        uint256 refundDelay;
    }

    /// @param unit Raw units of the token in a lot.
    /// @param vault Lots held, owed and unconsumed ones included.
    /// @param owed Lots withdrawn by batches and not yet claimed.
    /// @param unconsumed Lots of deposits that no batch has credited and nobody has taken back.
    /// @param cap Most lots that the vault may hold.
    struct Token {
        address token;
        uint96 unit;
        uint64 vault;
        uint64 owed;
        uint64 unconsumed;
        uint64 cap;
    }

    enum DepositStatus {
        None,
        Open,
        Consumed,
        Refunded
    }

    /// @param commitment Poseidon(account, secret): whose deposit it is, hidden.
    /// @param refundRequestedAt Time of the request, 0 for none.
    /// @param amount Lots.
    struct Deposit {
        uint256 commitment;
        address depositor;
        uint64 refundRequestedAt;
        uint16 token;
        uint64 amount;
        DepositStatus status;
    }

    /// @param l1Owner Who may rotate the owner key.
    /// @param rotation Serial + 1 of the last rotation, 0 for none.
    /// @param nextL1Owner Who may accept the ownership, 0 for nobody.
    struct Account {
        address l1Owner;
        uint64 rotation;
        address nextL1Owner;
    }

    /// @param kind 1 register, 2 rotate.
    /// @param x Point Q of BabyJubJub; the key that the circuit installs is 8Q.
    struct Request {
        uint8 kind;
        uint32 account;
        uint256 x;
        uint256 y;
        uint256 viewKeyHash;
    }

    struct Shape {
        address verifier;
        uint16 members;
        uint16 deposits;
        uint16 withdrawals;
        uint16 requests;
        bool isDevelopmentKey;
        bytes32 keyHash;
    }

    /// @param root Root of the account tree after the batch.
    /// @param tableNumber Table at which the batch was proven.
    /// @param accountCount First index that holds no account after the batch.
    /// @param served Number of requests served by this batch and all before it.
    /// @param withdrawalsRoot Keccak root of the withdrawals, 0 for none.
    struct BatchRecord {
        uint256 root;
        uint64 tableNumber;
        uint64 time;
        uint32 accountCount;
        uint64 served;
        bytes32 withdrawalsRoot;
    }

    /// @param requestCount How many requests of the queue the batch serves, in their order.
    struct BatchHeader {
        uint256 shapeId;
        uint256 time;
        uint256 newRoot;
        uint256 tableNumber;
        uint256 batchNonce;
        uint256 requestCount;
    }

    struct Withdrawal {
        uint256 token;
        uint256 amount;
        address to;
    }

    // -------------------------------------------------------------------------------------- events

    /// @notice Where every reader starts: the tree of batch 0 holds one leaf, at index 0.
    event Genesis(
        uint256 root, uint256 feeAccountLeaf, uint256 feeAccountViewKeyHash, uint256 feeAccountMeta
    );
    event TokenAdded(uint256 indexed id, address indexed token, uint256 unit, uint256 cap);
    /// @param isDevelopmentKey The proving key comes from a known secret: anybody can forge proofs.
    event ShapeAdded(
        uint256 indexed id, string name, address verifier, bytes32 keyHash, bool isDevelopmentKey
    );
    event FeeSet(uint256 fee);
    event Registered(uint256 indexed account, address indexed l1Owner);
    event RequestQueued(
        uint256 indexed serial, uint256 indexed account, uint8 kind, uint256 x, uint256 y, uint256 viewKeyHash
    );
    event L1OwnerOffered(uint256 indexed account, address indexed nextL1Owner);
    event L1OwnerChanged(uint256 indexed account, address indexed l1Owner);
    event Deposited(
        uint256 indexed id, address indexed depositor, uint256 indexed token, uint256 amount, uint256 commitment
    );
    event RefundRequested(uint256 indexed id, uint256 dueAt);
    event Refunded(uint256 indexed id);
    event TablePosted(
        uint256 indexed number, uint256 root, uint256 marksRoot, bytes32 dataHash, uint256 time, bytes marks
    );
    event SettlementPosted(uint256[] ids, int256[] values, uint256 root);
    /// @param words All public words, 32 bytes each, in the order of circuits/words.ts.
    event Batch(
        uint256 indexed number, uint256 indexed shapeId, uint256 newRoot, uint256 commitment, uint256 x, bytes words
    );
    event Claimed(
        uint256 indexed batch, uint256 indexed slot, address indexed to, uint256 token, uint256 amount
    );

    // -------------------------------------------------------------------------------------- errors

    error WordMustBeBelowModulus();
    error ProofMustVerify();
    error RefundDelayMustExceedPageLife(uint256 refundDelay);
    error FeeMustBeInRange(uint256 fee);

    error TokenIdMustBeInRange(uint256 id);
    error TokenMustBeNew(uint256 id, address token);
    error TokenMustBeKnown(uint256 id);
    error TokenMustBeContract(address token);
    error UnitMustBeInRange(uint256 unit);
    error CapMustBeInRange(uint256 cap);

    error ShapeMustBeNew(uint256 id);
    error ShapeMustBeKnown(uint256 id);
    error ShapeMustFitWords(uint256 id);
    error VerifierMustBeContract(address verifier);

    error KeyMustBeOnCurve();
    error KeyMustBeInSubgroup();
    error RegistrationMustBeCountersigned();
    error AccountMustBeAvailable();
    error CallerMustBeL1Owner(uint256 account);
    error CallerMustBeNextL1Owner(uint256 account);
    error RotationMustNotBePending(uint256 account);

    error AmountMustBeInRange(uint256 amount);
    error CommitmentMustBeNonzero();
    error DepositMustFitCap(uint256 lots, uint256 cap);
    error DepositMustBeExact(uint256 expected, uint256 received);
    error DepositMustBeOpen(uint256 id);
    error DepositIdsMustAscend(uint256 id);
    error CallerMustBeDepositor(uint256 id);
    error RefundMustNotBeRequested(uint256 id);
    error RefundMustBeRequested(uint256 id);
    error RefundMustBeDue(uint256 dueAt);

    error SettlementMustBeNew(uint256 id);
    error SettlementIdMustBeInRange(uint256 id);
    error SettlementMustFitWidth(uint256 id, int256 value);
    error SettlementListsMustMatch();

    error TableMustBeCurrent(uint256 tableNumber, uint256 latest);
    error TableMustNotGoBack(uint256 tableNumber, uint256 previous);
    error TimeMustNotGoBack(uint256 time, uint256 previous);
    error TimeMustNotBeAhead(uint256 time);
    error TimeMustBeRecent(uint256 time);
    error RequestsMustBeQueued(uint256 requestCount, uint256 waiting);
    error RequestsMustFitShape(uint256 requestCount);
    error DepositsMustFitShape(uint256 count);
    error WithdrawalsMustFitShape(uint256 count);
    error AccountWordsMustFitShape(uint256 count);
    error WithdrawalMustBeFunded(uint256 token, uint256 amount, uint256 free);
    error RecipientMustBeNonzero();
    error WithdrawalMustBeInBatch();
    error WithdrawalMustBeUnclaimed();

    // --------------------------------------------------------------------------------------- admin

    /// @notice Lists a token. Immediate for now; a time lock comes in a later issue.
    /// @param id Below 1024 and not 0; cash is 1. Never reused.
    /// @param unit Raw units in a lot, at least 1 and below 2^96.
    /// @param cap Most lots that the vault may hold, at least 1 and below 2^55.
    function addToken(uint256 id, address token, uint256 unit, uint256 cap) external;

    /// @notice Adds a verifying key and what its circuit holds. Immediate for now, as above.
    /// @param id Never reused: what a key has proven stays proven by it.
    /// @param keyHash Hash of the verifying key; it enters the challenge of every batch.
    /// @param isDevelopmentKey Proofs under this key can be forged by whoever knows its secret.
    function addShape(
        uint256 id,
        uint256 members,
        uint256 deposits,
        uint256 withdrawals,
        uint256 requests,
        address verifier,
        bytes32 keyHash,
        bool isDevelopmentKey,
        string calldata name
    ) external;

    /// @notice Sets the fee of a page. Immediate for now, as above; a proof made before is void.
    /// @param fee Micro-dollars a page, below 2^40.
    function setFee(uint256 fee) external;

    // ------------------------------------------------------------------------------------ accounts

    /// @notice Takes the next account index for the caller and queues its registration.
    /// @param x Point Q of BabyJubJub such that 8Q is the owner key.
    /// @param viewKeyHash Hash of a view key that the operator holds.
    /// @param operatorSignature EIP-712 signature by an operator over
    /// Registration(address l1Owner,uint256 ownerX,uint256 ownerY,uint256 viewKeyHash,uint256 nonce)
    /// in the domain (name "Cloister", version "1", chainId, verifyingContract), the nonce being
    /// `registrationNonce(l1Owner)`.
    /// @return account The index, final from now on.
    function register(uint256 x, uint256 y, uint256 viewKeyHash, bytes calldata operatorSignature)
        external
        returns (uint256 account);

    /// @notice Queues a change of the owner key to 8Q. The view key stays.
    function rotate(uint256 account, uint256 x, uint256 y) external;

    /// @notice Offers the account on L1 to another address; 0 withdraws the offer.
    function offerL1Owner(uint256 account, address nextL1Owner) external;

    /// @notice Accepts what was offered.
    function acceptL1Owner(uint256 account) external;

    // ------------------------------------------------------------------------------------ deposits

    /// @notice Pulls lots of a token for the account that the commitment hides.
    /// @param commitment Poseidon(account, secret), nonzero.
    function deposit(uint256 token, uint256 amount, uint256 commitment) external returns (uint256 id);

    /// @notice Starts the wait for a refund; until it is taken, a batch may still credit the deposit.
    function requestRefund(uint256 id) external;

    /// @notice Returns a deposit that no batch has credited, after the delay.
    function takeRefund(uint256 id) external;

    // -------------------------------------------------------------------------------------- oracle

    /// @notice Posts a table of values.
    /// @param root Poseidon(marksRoot, worldsRoot, flags).
    /// @param dataHash Hash of the world file, from which the worlds root follows.
    /// @param marks Marks and statuses as data; only readers use them.
    function postTable(uint256 root, uint256 marksRoot, bytes32 dataHash, bytes calldata marks)
        external
        returns (uint256 number);

    /// @notice Fixes settlement values for ever and moves the register's root.
    /// @param ids Instruments, each at least 1024 and below 2^28, none set before.
    /// @param values Micro-dollars a lot, |value| < 2^48.
    function postSettlement(uint256[] calldata ids, int256[] calldata values, uint256 newRoot) external;

    // ------------------------------------------------------------------------- batches and payments

    /// @notice Verifies a batch and makes its root the latest.
    /// @param depositIds Deposits that the batch credits, strictly ascending.
    /// @param withdrawals The used slots, first slots first.
    /// @param accountWords Per touched account its index, leaf and eight cipher words, the fee
    /// account first: (members + 1) * 10 words.
    /// @param commitment C of the statement.
    /// @param proof a, b, c in the order in which snarkjs exports calldata.
    function submitBatch(
        BatchHeader calldata header,
        uint64[] calldata depositIds,
        Withdrawal[] calldata withdrawals,
        uint256[] calldata accountWords,
        uint256 commitment,
        uint256[8] calldata proof
    ) external;

    /// @notice Pays a withdrawal to its address; anybody may call.
    /// @param proof Keccak path with sorted pairs, as OpenZeppelin and merkletreejs have it.
    function claim(
        uint256 batchNumber,
        uint256 slot,
        uint256 token,
        uint256 amount,
        address to,
        bytes32[] calldata proof
    ) external;

    // --------------------------------------------------------------------------------------- views

    /// @notice keccak256(chainId, contract) mod p: the first word of every batch.
    function domain() external view returns (uint256);
    function refundDelay() external view returns (uint256);
    function fee() external view returns (uint256);
    /// @notice 0 normal; never anything else yet.
    function mode() external view returns (uint256);
    /// @notice Number of the latest batch; 0 is genesis.
    function batchNumber() external view returns (uint256);
    function batches(uint256 number) external view returns (BatchRecord memory);
    function roots(uint256 number) external view returns (uint256);
    /// @notice First index that holds no account at the latest root.
    function accountCount() external view returns (uint256);
    /// @notice Requests ever queued, and how many of them are served.
    function requestCount() external view returns (uint256);
    function served() external view returns (uint256);
    function request(uint256 serial) external view returns (Request memory);
    /// @notice The index that the next registration takes.
    function nextAccount() external view returns (uint256);
    function account(uint256 index) external view returns (Account memory);
    function registrationNonce(address l1Owner) external view returns (uint256);
    function depositCount() external view returns (uint256);
    function deposits(uint256 id) external view returns (Deposit memory);
    function tokens(uint256 id) external view returns (Token memory);
    function vault(uint256 token) external view returns (uint256);
    function owed(uint256 token) external view returns (uint256);
    function unconsumedDeposits(uint256 token) external view returns (uint256);
    function shapes(uint256 id) external view returns (Shape memory);
    /// @notice Number of the latest table; 0 when there is none.
    function tableNumber() external view returns (uint256);
    function tables(uint256 number) external view returns (uint256 root, uint256 time);
    function settlementRoot() external view returns (uint256);
    function settlement(uint256 id) external view returns (bool isSet, int256 value);
    function isClaimed(uint256 batch, uint256 slot) external view returns (bool);
    function withdrawalLeaf(uint256 batch, uint256 slot, uint256 token, uint256 amount, address to)
        external
        view
        returns (bytes32);
}

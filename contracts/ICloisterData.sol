// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title The structs of the clearing house.
/// @notice Amounts are in lots, a lot being `unit` raw units of its token. Times are in seconds. A
/// word is a number below the modulus of the scalar field of BN254.
interface ICloisterData {
    /// @param admin Configures the house until it is sealed; then it announces changes to the lock,
    /// which alone can make them.
    /// @param operator Submits batches and countersigns registrations.
    /// @param oracle Posts tables and settlement values.
    /// @param guardian Pauses what comes in, sets the mode, cancels announced changes.
    /// @param letAnybodyForgeProofs Takes development keys on a public chain: whatever the house
    /// holds there can be stolen by anybody.
    /// @param genesisRoot Root of the account tree of batch 0, whose only leaf is the fee account.
    /// @param feeAccountLeaf Leaf 0 of that tree.
    /// @param feeAccountViewKeyHash Hash of the view key that opens the fee account.
    /// @param feeAccountMeta The meta word of the fee account.
    /// @param settlementRoot Root of the empty settlement register.
    /// @param fee Micro-dollars a page, below 2^40.
    /// @param changeDelay Seconds between the announcement of a change and the change; on a public
    /// chain at least the way out.
    /// @param terms The same as the extension's.
    struct Configuration {
        address admin;
        address operator;
        address oracle;
        address guardian;
        bool letAnybodyForgeProofs;
        uint256 genesisRoot;
        uint256 feeAccountLeaf;
        uint256 feeAccountViewKeyHash;
        uint256 feeAccountMeta;
        uint256 settlementRoot;
        uint256 fee;
        uint256 changeDelay;
        Terms terms;
    }

    /// @notice What does not change after deployment. Seconds, each below a year.
    /// @param refundDelay Between the request and the refund of a deposit; longer than the life of
    /// a page.
    /// @param forceDelay A forced exit that waits longer is a ground to freeze.
    /// @param fullDelay A queue of forced exits that is full for longer is a ground to freeze.
    /// @param unwindDelay Between two forced exits of one token by one account.
    /// @param batchDelay No batch for longer is a ground to freeze.
    /// @param tableDelay No confirmed table for longer is a ground to freeze.
    /// @param sweepDelay No complete sweep for longer is a ground to freeze.
    /// @param tableLife A table that is older admits only what reduces risk, and no payments.
    /// @param lateSweepDelay No complete sweep for longer: withdrawals wait.
    /// @param sweepEpoch Between the tables of two sweeps.
    /// @param flagDelay Between the table of a sweep and the state that is proven at it: in this
    /// time accounts that fail can be flagged.
    /// @param callDelay How long a flag CALLED counts.
    /// @param claimsWindow Between the freeze and the end of claims.
    /// @param forcePrice Wei that a forced exit costs when none was asked for lately.
    struct Terms {
        uint256 refundDelay;
        uint256 forceDelay;
        uint256 fullDelay;
        uint256 unwindDelay;
        uint256 batchDelay;
        uint256 tableDelay;
        uint256 sweepDelay;
        uint256 tableLife;
        uint256 lateSweepDelay;
        uint256 sweepEpoch;
        uint256 flagDelay;
        uint256 callDelay;
        uint256 claimsWindow;
        uint256 forcePrice;
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
    /// @param forcedExit Serial + 1 of the last forced exit, 0 for none.
    struct Account {
        address l1Owner;
        uint64 rotation;
        address nextL1Owner;
        uint64 forcedExit;
    }

    /// @param kind 1 register, 2 rotate, 3 forced exit.
    /// @param requestedAt The service clock when it was queued.
    /// @param x Point Q of BabyJubJub; the key that the circuit installs is 8Q. Of a forced exit the
    /// token.
    /// @param y Of a forced exit the address.
    struct Request {
        uint8 kind;
        uint32 account;
        uint64 requestedAt;
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

    /// @param settlementRoot The register as it was then: an instrument stands in the table or in it.
    /// @param marksHash keccak256 of the marks as they were posted.
    struct Table {
        uint256 root;
        uint256 settlementRoot;
        bytes32 marksHash;
        uint64 time;
        bool isConfirmed;
    }

    struct Settled {
        int64 value;
        bool isSet;
    }

    /// @param accounts Indices that one proof covers.
    struct SweepShape {
        address verifier;
        uint16 accounts;
        bool isDevelopmentKey;
        bytes32 keyHash;
    }

    /// @notice Why the house may be frozen.
    enum Ground {
        None,
        ForcedExit,
        QueueFull,
        NoBatch,
        NoTable,
        NoSweep
    }

    /// @param pending Forced exits that wait, of at most `capacity`.
    /// @param fullSince Service clock when the queue became full, plus 1; 0 while there is room, and has
    /// been for an hour of the wall clock: a place that is taken again at once is none.
    /// @param price Wei that the next one costs now.
    struct ForcedExitQueue {
        uint256 pending;
        uint256 capacity;
        uint256 fullSince;
        uint256 price;
    }

    /// @param table 0 when no sweep is under way.
    /// @param time What CALLED accounts are overdue by: time of the table plus the flag delay.
    /// @param isFixed Whether batch and accountCount say what is proven.
    /// @param next First index that no proof has covered.
    /// @param sweptAt Service clock at the table of the last complete sweep.
    struct SweepRecord {
        uint256 table;
        uint256 time;
        bool isFixed;
        uint256 batch;
        uint256 accountCount;
        uint256 settlementRoot;
        uint256 next;
        uint256 flagged;
        uint256 shortfall;
        uint256 sweptAt;
    }

    /// @param potValue Micro-dollars, 0 before the pot is valued.
    /// @param claims Micro-dollars claimed within the window.
    /// @param lateClaims Micro-dollars that late claims were counted for.
    struct Escape {
        uint256 frozenAt;
        uint256 claimsEndAt;
        bool isPotValued;
        uint256 potValue;
        uint256 claims;
        uint256 lateClaims;
    }

    /// @param amount Micro-dollars that share the pot.
    struct EscapeClaim {
        uint128 amount;
        bool isMade;
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
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {Cloister} from "../../contracts/Cloister.sol";
import {CloisterExtension} from "../../contracts/CloisterExtension.sol";
import {ICloister} from "../../contracts/ICloister.sol";
import {ICloisterData} from "../../contracts/ICloisterData.sol";
import {TestDollar} from "../../contracts/dev/TestDollar.sol";

interface Vm {
    function prank(address) external;
    function warp(uint256) external;
    function deal(address, uint256) external;
    function sign(uint256 key, bytes32 digest) external returns (uint8, bytes32, bytes32);
    function addr(uint256 key) external returns (address);
}

/// @title Says yes to every proof of every kind.
contract AcceptingVerifier {
    fallback() external {
        assembly {
            mstore(0, 1)
            return(0, 32)
        }
    }
}

/// @title Everything that members, operator and oracle can do, by dice, beside a model of the money.
/// @notice A call that the house refuses changes nothing here either.
contract Handler is ICloisterData {
    Vm private constant VM = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 private constant OPERATOR_KEY = 0xC101573;
    uint256 private constant OWNERS = 3;
    uint256 private constant X = 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    uint256 private constant Y = 16950150798460657717958625567821834550301663161624707787222815936182638968203;

    struct Money {
        uint256 balances;
        uint256 owed;
        uint256 unconsumed;
        uint256 escaped;
        uint256 donated;
        uint256 potAtFreeze;
    }

    struct Payment {
        uint256 batch;
        uint256 slot;
        uint256 token;
        uint256 amount;
        address to;
        bytes32 sibling;
        bool isClaimed;
    }

    ICloister public house;
    TestDollar[2] public coins;
    uint256[2] public units = [uint256(100), 7];
    uint256[2] public marks = [uint256(1), 3];
    address[3] public owners;
    Money[2] public money;
    Payment[] public payments;
    /// Forced exits that wait: token and address of each, from `firstWaiting` on.
    uint256[] public waitingToken;
    address[] public waitingTo;
    uint256 public firstWaiting;
    mapping(uint256 deposit => bool isCredited) public isCredited;
    mapping(uint256 owner => uint256 amount) public claimOf;
    mapping(uint256 owner => uint256 worth) public paidTo;
    bool public isFrozen;
    uint256 public accepted;
    bytes public postedMarks;
    mapping(bytes32 name => uint256 count) public counts;

    constructor() {
        VM.warp(2_000_000_000);
        Terms memory terms = Terms({
            refundDelay: 1 days, forceDelay: 2 days, fullDelay: 2 days, unwindDelay: 2 days,
            batchDelay: 3 days, tableDelay: 5 days, sweepDelay: 60 days, tableLife: 4 days,
            lateSweepDelay: 50 days, sweepEpoch: 1 days, flagDelay: 1 hours, callDelay: 1 days,
            claimsWindow: 2 days, forcePrice: 1 gwei
        });
        Configuration memory configuration = Configuration({
            admin: address(this), operator: address(this), oracle: address(this),
            guardian: address(this), letAnybodyForgeProofs: false, genesisRoot: 1,
            feeAccountLeaf: 1, feeAccountViewKeyHash: 1, feeAccountMeta: 1, settlementRoot: 1, fee: 0,
            changeDelay: 0, terms: terms
        });
        CloisterExtension extension = new CloisterExtension(terms);
        house = ICloister(address(new Cloister(configuration, address(extension))));
        Cloister(address(house)).grantRole(keccak256("OPERATOR"), VM.addr(OPERATOR_KEY));
        address verifier = address(new AcceptingVerifier());
        house.addShape(1, 1, 2, 2, 2, verifier, bytes32(0), true, "small");
        house.addEscapeShape(1, verifier, bytes32(0), true, "escape");
        postedMarks = _marks();
        house.postTable(2, 1, bytes32(0), postedMarks, true);
        for (uint256 t = 0; t < 2; t++) {
            coins[t] = new TestDollar();
            house.addToken(t + 1, address(coins[t]), units[t], 1 << 40);
        }
        for (uint256 i = 0; i < OWNERS; i++) _join(i);
        _submit(new uint64[](0), new Withdrawal[](0), new uint64[](0), 2);
        _submit(new uint64[](0), new Withdrawal[](0), new uint64[](0), 1);
    }

    // ------------------------------------------------------------------------------- before the end

    function deposit(uint256 who, uint256 token, uint256 amount) external {
        token %= 2;
        amount %= 1_000;
        VM.prank(owners[who % OWNERS]);
        try house.deposit(token + 1, amount, 1) {
            money[token].unconsumed += amount;
            _count("deposit");
        } catch {}
    }

    function requestRefund(uint256 id) external {
        id = _depositOf(id);
        VM.prank(house.deposits(id).depositor);
        try house.requestRefund(id) {} catch {}
    }

    function takeRefund(uint256 id) external {
        id = _depositOf(id);
        Deposit memory taken = house.deposits(id);
        VM.prank(taken.depositor);
        try house.takeRefund(id) {
            require(!isCredited[id], "a credited deposit was refunded");
            money[taken.token - 1].unconsumed -= taken.amount;
            _count("refund");
        } catch {}
    }

    function force(uint256 who, uint256 token, uint256 stranger) external {
        who %= OWNERS;
        token %= 2;
        address from = stranger % 8 == 0 ? address(0xdead) : owners[who];
        address to = address(uint160(0x1000 + who));
        VM.deal(from, 1 ether);
        VM.prank(from);
        try house.forceExit{value: 0.01 ether}(16 + who, token + 1, to) {
            require(from == owners[who], "a stranger forced an exit");
            waitingToken.push(token);
            waitingTo.push(to);
            _count("force");
        } catch {}
    }

    function batch(uint256 dice, uint64 paidForced, uint64 paidFreely) external {
        uint64[] memory ids = new uint64[]((dice >> 8) % 2);
        if (ids.length == 1) ids[0] = uint64(_depositOf(dice >> 16));
        uint256 isForced = (dice >> 4) % 2 == 1 && firstWaiting < waitingToken.length ? 1 : 0;
        uint64[] memory forced = new uint64[](isForced);
        if (isForced == 1) forced[0] = uint64(_part(waitingToken[firstWaiting], paidForced));
        Withdrawal[] memory free = new Withdrawal[]((dice >> 5) % 2);
        if (free.length == 1) {
            uint256 token = (dice >> 6) % 2;
            free[0] = Withdrawal(token + 1, _part(token, paidFreely), address(0x2000));
        }
        if (!_submit(ids, free, forced, isForced)) return;
        if (ids.length == 1) {
            Deposit memory credited = house.deposits(ids[0]);
            require(!isCredited[ids[0]], "a deposit was credited twice");
            isCredited[ids[0]] = true;
            money[credited.token - 1].unconsumed -= credited.amount;
            money[credited.token - 1].balances += credited.amount;
        }
        _notePayments(free, forced);
        _count("batch");
    }

    function claim(uint256 which, uint256 extra) external {
        if (payments.length == 0) return;
        Payment storage payment = payments[which % payments.length];
        bytes32[] memory proof = new bytes32[](payment.sibling == bytes32(0) ? 0 : 1);
        if (proof.length == 1) proof[0] = payment.sibling;
        uint256 amount = payment.amount + (extra % 8 == 0 ? 1 : 0);
        try house.claim(payment.batch, payment.slot, payment.token + 1, amount, payment.to, proof) {
            require(!payment.isClaimed && amount == payment.amount, "a payment was claimed twice or wrongly");
            payment.isClaimed = true;
            money[payment.token].owed -= amount;
            _count("claim");
        } catch {}
    }

    function post(uint256 dice) external {
        try house.postTable(2, 1, bytes32(0), postedMarks, dice % 4 != 0) {} catch {}
    }

    function donate(uint256 token) external {
        token %= 2;
        coins[token].mint(address(house), 13);
        money[token].donated += 13;
    }

    function pass(uint256 time) external {
        VM.warp(block.timestamp + time % 30 hours);
    }

    // ---------------------------------------------------------------------------------- and after it

    function freeze(uint256 ground, uint256 serial) external {
        try house.freeze(Ground(ground % 6), serial % 40) {
            require(!isFrozen, "frozen twice");
            isFrozen = true;
            for (uint256 t = 0; t < 2; t++) money[t].potAtFreeze = money[t].balances;
            _count("freeze");
        } catch {}
    }

    function escapeClaim(uint256 who, uint256 equity, uint256 stranger) external {
        who %= OWNERS;
        equity %= 5_000;
        VM.prank(stranger % 8 == 0 ? address(0xdead) : owners[who]);
        uint256[8] memory proof;
        try house.escapeClaim(1, 16 + who, equity, proof) {
            require(isFrozen && stranger % 8 != 0, "a claim by a stranger or of a living house");
            claimOf[who] = house.escapeClaims(16 + who).amount;
            require(claimOf[who] <= equity, "a claim counts for more than it is");
            _count("escapeClaim");
        } catch {}
    }

    function valuePot() external {
        try house.valuePot(postedMarks) {
            require(
                house.escape().potValue == money[0].potAtFreeze + 3 * money[1].potAtFreeze,
                "the pot has another value"
            );
            _count("valuePot");
        } catch {}
    }

    function escapePay(uint256 who, uint256 token) external {
        who %= OWNERS;
        token %= 2;
        address to = address(uint160(0x3000 + who));
        uint256 before = coins[token].balanceOf(to);
        VM.prank(owners[who]);
        try house.escapePay(16 + who, token + 1, to) {
            uint256 share = (coins[token].balanceOf(to) - before) / units[token];
            paidTo[who] += share * marks[token];
            money[token].escaped += share;
            money[token].balances -= share;
            _count("escapePay");
        } catch {}
    }

    // -------------------------------------------------------------------------------------- helpers

    function _marks() private pure returns (bytes memory) {
        uint256[3] memory row = [uint256(2), 1, 3];
        return abi.encodePacked(uint256(32), uint256(1), row);
    }

    function _join(uint256 i) private {
        owners[i] = address(uint160(0x4000 + i));
        for (uint256 t = 0; t < 2; t++) {
            coins[t].mint(owners[i], 1 << 60);
            VM.prank(owners[i]);
            coins[t].approve(address(house), type(uint256).max);
        }
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Cloister"),
                keccak256("1"),
                block.chainid,
                address(house)
            )
        );
        bytes32 record = keccak256(
            abi.encode(
                keccak256(
                    "Registration(address l1Owner,uint256 ownerX,uint256 ownerY,uint256 viewKeyHash,uint256 nonce)"
                ),
                owners[i],
                X,
                Y,
                uint256(5),
                uint256(0)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            VM.sign(OPERATOR_KEY, keccak256(abi.encodePacked("\x19\x01", domain, record)));
        VM.prank(owners[i]);
        house.register(X, Y, 5, abi.encodePacked(r, s, v));
    }

    function _submit(
        uint64[] memory ids,
        Withdrawal[] memory free,
        uint64[] memory forced,
        uint256 requestCount
    ) private returns (bool) {
        BatchHeader memory header = BatchHeader(1, block.timestamp, 7, house.tableNumber(), 9, requestCount);
        uint256[8] memory proof;
        try house.submitBatch(header, ids, free, forced, new uint256[](20), 3, proof) {
            return true;
        } catch {
            return false;
        }
    }

    function _notePayments(Withdrawal[] memory free, uint64[] memory forced) private {
        uint256 number = house.batchNumber();
        uint256 from = payments.length;
        if (free.length == 1) {
            _note(Payment(number, 0, free[0].token - 1, free[0].amount, free[0].to, 0, false));
        }
        if (forced.length == 1) {
            uint256 place = firstWaiting++;
            _note(
                Payment(number, free.length, waitingToken[place], forced[0], waitingTo[place], 0, false)
            );
        }
        if (payments.length - from < 2) return;
        for (uint256 k = 0; k < 2; k++) {
            Payment storage other = payments[from + 1 - k];
            payments[from + k].sibling =
                house.withdrawalLeaf(number, other.slot, other.token + 1, other.amount, other.to);
        }
    }

    function _note(Payment memory payment) private {
        payments.push(payment);
        money[payment.token].balances -= payment.amount;
        money[payment.token].owed += payment.amount;
    }

    /// @dev A part of what a token has free, sometimes a lot more than that.
    function _part(uint256 token, uint256 dice) private view returns (uint256) {
        return dice % (money[token].balances + 2);
    }

    function _depositOf(uint256 id) private view returns (uint256) {
        return 1 + id % (house.depositCount() + 1);
    }

    function _count(bytes32 name) private {
        counts[name]++;
        accepted++;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {ITableHouse} from "../../contracts/ITableHouse.sol";

/// @title A price feed that answers, or fails, as it is told.
contract TestFeed {
    enum Manner {
        Answer,
        Revert,
        Short,
        Empty,
        Burn,
        Bomb,
        Slow
    }

    uint8 public decimals;
    Manner public manner;
    uint80 public roundId = 10;
    int256 public answer;
    uint256 public updatedAt;
    uint80 public answeredInRound = 10;

    constructor(uint8 decimals_, int256 answer_) {
        decimals = decimals_;
        answer = answer_;
        updatedAt = block.timestamp;
    }

    function set(int256 answer_, uint256 updatedAt_) external {
        (answer, updatedAt) = (answer_, updatedAt_);
    }

    function setRounds(uint80 roundId_, uint80 answeredInRound_) external {
        (roundId, answeredInRound) = (roundId_, answeredInRound_);
    }

    function setDecimals(uint8 decimals_) external {
        decimals = decimals_;
    }

    function setManner(Manner manner_) external {
        manner = manner_;
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        if (manner == Manner.Revert) revert("feed");
        if (manner == Manner.Empty) {
            assembly {
                return(0, 0)
            }
        }
        if (manner == Manner.Short) {
            // All but the last byte of the last word, which would pass as a later round.
            uint256 round = roundId;
            int256 value = answer;
            uint256 time = updatedAt;
            assembly {
                mstore(0x80, round)
                mstore(0xa0, value)
                mstore(0xc0, time)
                mstore(0xe0, time)
                mstore(0x100, 2560)
                return(0x80, 159)
            }
        }
        if (manner == Manner.Burn) {
            for (uint256 i = 0;; i++) i = i;
        }
        if (manner == Manner.Bomb) {
            assembly {
                return(0, 1000000)
            }
        }
        if (manner == Manner.Slow) {
            uint256 end = gasleft() > 85_000 ? gasleft() - 85_000 : 0;
            while (gasleft() > end) {}
        }
        return (roundId, answer, updatedAt, updatedAt, answeredInRound);
    }
}

/// @title A house that knows the flag, and keeps what it is told.
contract FlaggedHouse is ITableHouse {
    uint256 public tableNumber;
    uint256 public settlementRoot;
    mapping(uint256 number => bool) public isConfirmed;
    mapping(uint256 number => uint256) public roots;
    bool public isSealed;
    address public lock;

    event TablePosted(
        uint256 indexed number,
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        uint256 time,
        bytes marks
    );

    function postTable(
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        bytes calldata marks,
        bool confirmed
    ) external returns (uint256 number) {
        number = ++tableNumber;
        roots[number] = root;
        isConfirmed[number] = confirmed;
        emit TablePosted(number, root, marksRoot, dataHash, block.timestamp, marks);
    }

    function confirmTable(uint256 number) external {
        isConfirmed[number] = true;
    }

    function settlement(uint256) external pure returns (bool, int256) {
        return (false, 0);
    }

    function settlementRoom() external pure returns (uint256) {
        return 128;
    }

    function postSettlement(uint256[] calldata, int256[] calldata, uint256 newRoot) external {
        settlementRoot = newRoot;
    }
}

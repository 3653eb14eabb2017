// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ICloisterCore} from "./ICloister.sol";
import {Store} from "./Store.sol";

/// @title Money on its way out: owed by a batch, pulled with a Merkle proof, never pushed.
abstract contract Withdrawals is Store, ReentrancyGuardTransient, ICloisterCore {
    using SafeERC20 for IERC20;

    function claim(
        uint256 batch,
        uint256 slot,
        uint256 tokenId,
        uint256 amount,
        address to,
        bytes32[] calldata proof
    ) external nonReentrant {
        bytes32 root = _withdrawalsRoots[batch];
        bytes32 leaf = withdrawalLeaf(batch, slot, tokenId, amount, to);
        // The root of a batch without withdrawals is 0, which no proof can reach.
        if (!MerkleProof.verifyCalldata(proof, root, leaf)) revert WithdrawalMustBeInBatch();
        // A proven slot is below 256, so the shift is one of a bit of the word.
        uint256 bit = 1 << slot;
        if (_claimed[batch] & bit != 0) revert WithdrawalMustBeUnclaimed();

        Token storage token = _tokens[tokenId];
        _claimed[batch] |= bit;
        token.vault -= uint64(amount); // the leaf was made from an amount below 2^55
        token.owed -= uint64(amount);
        emit Claimed(batch, slot, to, tokenId, amount);

        IERC20(token.token).safeTransfer(to, amount * token.unit); // 55 + 96 = 151 bits
    }

    /// @notice The double hash keeps leaves apart from inner nodes.
    function withdrawalLeaf(
        uint256 batch,
        uint256 slot,
        uint256 tokenId,
        uint256 amount,
        address to
    ) public view returns (bytes32) {
        bytes memory fields = abi.encode(address(this), batch, slot, tokenId, amount, to);
        return keccak256(bytes.concat(keccak256(fields)));
    }

    /// @dev Checks one withdrawal of a batch, except that it is funded.
    function _requirePayable(Withdrawal calldata withdrawal) internal view {
        _knownToken(withdrawal.token);
        _requireAmount(withdrawal.amount);
        if (withdrawal.to == address(0)) revert RecipientMustBeNonzero();
    }

    /// @dev Moves what is free to what is owed, and keeps the root of the batch's payments: the
    /// voluntary ones first, then the forced ones, which were checked against what is free. What is
    /// free for a voluntary one is known only when the batch's own deposits are consumed and its
    /// other payments owed, so this guard stands among the writes.
    function _owe(uint256 batch, Withdrawal[] calldata withdrawals, Withdrawal[] memory forced)
        internal
    {
        uint256 voluntary = withdrawals.length;
        if (voluntary + forced.length == 0) return;
        bytes32[] memory leaves = new bytes32[](voluntary + forced.length);
        for (uint256 i = 0; i < forced.length; i++) {
            Withdrawal memory paid = forced[i];
            _tokens[paid.token].owed += uint64(paid.amount);
            leaves[voluntary + i] =
                withdrawalLeaf(batch, voluntary + i, paid.token, paid.amount, paid.to);
        }
        for (uint256 slot = 0; slot < voluntary; slot++) {
            Withdrawal calldata paid = withdrawals[slot];
            Token storage token = _tokens[paid.token];
            uint256 free = _free(token);
            if (paid.amount > free) revert WithdrawalMustBeFunded(paid.token, paid.amount, free);
            token.owed += uint64(paid.amount);
            leaves[slot] = withdrawalLeaf(batch, slot, paid.token, paid.amount, paid.to);
        }
        _withdrawalsRoots[batch] = _merkleRoot(leaves);
    }

    /// @dev Sorted pairs; the odd one out moves up unhashed, as merkletreejs does. Eats its input.
    function _merkleRoot(bytes32[] memory nodes) private pure returns (bytes32) {
        uint256 count = nodes.length;
        while (count > 1) {
            uint256 parents = count / 2;
            for (uint256 i = 0; i < parents; i++) {
                nodes[i] = Hashes.commutativeKeccak256(nodes[2 * i], nodes[2 * i + 1]);
            }
            if (count % 2 == 1) nodes[parents++] = nodes[count - 1];
            count = parents;
        }
        return nodes[0];
    }
}

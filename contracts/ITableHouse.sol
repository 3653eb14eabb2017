// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;

/// @title All that the oracle asks of the clearing house.
/// @notice Who stands behind this interface gives the oracle alone the right to post.
interface ITableHouse {
    /// @notice Number of the latest table, indicative ones counted; 0 when there is none.
    function tableNumber() external view returns (uint256);

    /// @notice Whether the lock has become the only admin of the house, and with it of the oracle.
    function isSealed() external view returns (bool);
    function lock() external view returns (address);

    /// @notice Posts a table. One that is not confirmed must move nobody's margin by itself.
    /// @param root Poseidon(marksRoot, worldsRoot, flags).
    /// @param dataHash Hash of the inputs that the table follows from.
    /// @param marks abi.encode of (uint32 id, uint8 status, int64 mark)[], ids ascending; then the
    /// worlds root and the flags as two words, with which the marks lead to `root`.
    function postTable(
        uint256 root,
        uint256 marksRoot,
        bytes32 dataHash,
        bytes calldata marks,
        bool confirmed
    ) external returns (uint256 number);

    /// @notice Confirms the latest table, which was posted as indicative.
    function confirmTable(uint256 number) external;

    /// @notice Root of the register of settlement values.
    function settlementRoot() external view returns (uint256);

    /// @notice The final value of an instrument, if it has one.
    function settlement(uint256 id) external view returns (bool isSet, int256 value);

    /// @notice How many settlement values may be posted now; it never shrinks but by posting.
    function settlementRoom() external view returns (uint256);

    /// @notice Fixes settlement values for ever and moves the register's root.
    function postSettlement(uint256[] calldata ids, int256[] calldata values, uint256 newRoot)
        external;
}

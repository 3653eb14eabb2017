/** What a story does on L1: a token that bans, calls that are sent, refusals by name, proofs in a child. */
import { Contract, Interface, type InterfaceAbi, type NonceManager } from 'ethers'
import type { CircuitInput, Groth16Proof } from '../../prover/groth16.ts'
import { proveInChild } from '../../prover/pool.ts'
import { compileSolidity, type CompiledContract } from '../../prover/solidity.ts'
import { contractsOf } from '../../sequencer/solidity.ts'

const PICKY = `
  // SPDX-License-Identifier: GPL-3.0-or-later
  pragma solidity ^0.8.28;
  import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
  contract Picky is ERC20("Picky", "PICKY") {
    mapping(address => bool) public isBanned;
    function mint(address to, uint256 amount) external { _mint(to, amount); }
    function ban(address holder, bool isOn) external { isBanned[holder] = isOn; }
    function _update(address from, address to, uint256 amount) internal override {
      require(!isBanned[to], "banned");
      super._update(from, to, amount);
    }
  }`

/** A token that refuses to pay whom it has banned. */
export function compilePicky(): CompiledContract {
  return compileSolidity({ 'Picky.sol': PICKY })['Picky'] as CompiledContract
}

export async function deployed(admin: NonceManager, compiled: CompiledContract): Promise<Contract> {
  const { ContractFactory } = await import('ethers')
  const made = await new ContractFactory(
    compiled.abi as InterfaceAbi,
    compiled.bytecode,
    admin,
  ).deploy()
  await made.waitForDeployment()
  return new Contract(await made.getAddress(), compiled.abi as InterfaceAbi, admin)
}

export async function sent(
  contract: Contract,
  name: string,
  ...args: readonly unknown[]
): Promise<void> {
  const transaction = (await contract.getFunction(name)(...args)) as {
    wait: () => Promise<unknown>
  }
  await transaction.wait()
}

export async function proofOf(
  { zkeyPath, wasmPath }: { readonly zkeyPath: string; readonly wasmPath: string },
  input: CircuitInput,
): Promise<Groth16Proof> {
  return (await proveInChild({ zkeyPath, wasmPath, input, singleThread: false })).proof
}

/** The refusal that L1 gives, by name; "accepted" if it gives none. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work
  } catch (error) {
    const { data } = error as { data?: unknown }
    const parsed = typeof data === 'string' ? errors().parseError(data) : null
    return parsed?.name ?? (error instanceof Error ? error.message : String(error))
  }
  return 'accepted'
}

function errors(): Interface {
  return new Interface(contractsOf()['Cloister']?.abi as InterfaceAbi)
}

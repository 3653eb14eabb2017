/** The sequencer of a house in a test: everything is its own but the proofs, which are taken on trust. */
import { shapeNamed, type ShapeKey } from '../../prover/artifacts.ts'
import type { Groth16Proof } from '../../prover/groth16.ts'
import { compileSolidity, type CompiledContract } from '../../prover/solidity.ts'
import { main } from '../../sequencer/main.ts'

const key = {
  shape: shapeNamed('mini'),
  keyHash: '22'.repeat(32),
  zkeyPath: 'stub.development.zkey',
} as ShapeKey
const SOURCE = `// SPDX-License-Identifier: GPL-3.0-or-later
pragma solidity ^0.8.28;
contract AnyProof {
  function verifyProof(uint256[2] calldata, uint256[2][2] calldata, uint256[2] calldata,
    uint256[3] calldata) external pure returns (bool) { return true; }
}`
const ANY_PROOF = {
  pi_a: ['1', '2', '1'],
  pi_b: [
    ['1', '2'],
    ['1', '2'],
    ['1', '0'],
  ],
  pi_c: ['1', '2', '1'],
} as unknown as Groth16Proof

/** Milliseconds that a proof takes: long enough to be killed in the midst of one. */
const milliseconds = Number(process.env['TEST_PROOF_MILLISECONDS'] ?? 0)

await main({
  keys: [key],
  verifiers: [
    { key, contract: compileSolidity({ 'AnyProof.sol': SOURCE })['AnyProof'] as CompiledContract },
  ],
  prove: async () => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
    return ANY_PROOF
  },
})

/** Real proofs of a claim and of a sweep, through the real contract. */
import { beforeAll, expect, test } from 'vitest'
import { ethers } from 'ethers'
import { escapeClaim } from '../../circuits/escape.ts'
import { SETTLEMENT_DEPTH } from '../../circuits/params.ts'
import { statementOf } from '../../circuits/statement.ts'
import { SWEEP_SHAPES, sweepChunk } from '../../circuits/sweep.ts'
import { buildSweep } from '../../circuits/sweep-witness.ts'
import { emptyRoot } from '../../circuits/tree.ts'
import {
  circuitVerifierSource,
  developmentKeyOfCircuit,
  type CircuitKey,
} from '../../prover/circuit-key.ts'
import type { CircuitInput } from '../../prover/groth16.ts'
import { proveInChild } from '../../prover/pool.ts'
import { proofWords } from '../../prover/proof-words.ts'
import { compileSolidity } from '../../prover/solidity.ts'
import { GROUND, ask, marksOf } from '../contracts/exits.ts'
import { createBatch, submit } from '../contracts/batch-data.ts'
import {
  DOLLAR_UNIT,
  TERMS,
  configuration,
  deployCloister,
  deployCompiled,
  deploy,
  mustRefuse,
  register,
  send,
  setTime,
  type World,
  provider,
} from '../contracts/l1.ts'
import { keyOf } from '../contracts/points.ts'
import { row } from '../law/house.ts'
import { accountOf, stateOf } from '../law/states.ts'

const COLD = 900_000
const rows = [row(1024, 50_000_000n), row(1025, 2_000_000n)]
/** Account 16 is long, 17 short; the house has received a fee. All of it stands at genesis. */
const state = stateOf(
  {
    0: accountOf(10n),
    16: accountOf(700_000_000n, [{ id: 1024, quantity: 3n }]),
    17: accountOf(300_000_000n, [{ id: 1024, quantity: -3n }]),
  },
  rows,
)
const shape = SWEEP_SHAPES.find(({ name }) => name === 'sweep-mini')!
const marks = marksOf(rows.map(({ id, values }) => [BigInt(id), 1n, values[0]!] as const))
let world: World
let escapeKey: CircuitKey
let sweepKey: CircuitKey

async function verifierOf(key: CircuitKey): Promise<string> {
  const { name, source } = await circuitVerifierSource(key)
  const compiled = compileSolidity({ [`${name}.sol`]: source })[name]!
  return (await deployCompiled(compiled)).getAddress()
}

async function proofOf(key: CircuitKey, input: unknown): Promise<readonly bigint[]> {
  const { proof } = await proveInChild({
    zkeyPath: key.zkeyPath,
    wasmPath: key.wasmPath,
    input: input as CircuitInput,
    singleThread: false,
  })
  return proofWords(proof)
}

beforeAll(async () => {
  escapeKey = await developmentKeyOfCircuit('escape', (what) => console.log(what))
  sweepKey = await developmentKeyOfCircuit('sweep-mini', (what) => console.log(what))
  const [admin, operator, oracle, ...members] = (await provider.send('eth_accounts', [])) as [
    string,
    string,
    string,
    ...string[],
  ]
  const cloister = await deployCloister(
    await configuration({
      genesisRoot: state.tree.root,
      settlementRoot: emptyRoot(SETTLEMENT_DEPTH),
    }),
  )
  const address = await cloister.getAddress()
  const dollar = await deploy('TestDollar')
  const verifier = await deploy('ExpectingVerifier')
  world = { cloister, dollar, verifier, address, admin, operator, oracle, members }
  await send(admin, verifier, 'acceptAll')
  await send(admin, cloister, 'addToken', 1n, await dollar.getAddress(), DOLLAR_UNIT, 1n << 40n)
  await send(
    admin,
    cloister,
    'addShape',
    1n,
    3n,
    2n,
    1n,
    2n,
    await verifier.getAddress(),
    ethers.id('x'),
    true,
    'mini',
  )
  await send(
    admin,
    cloister,
    'addEscapeShape',
    1n,
    await verifierOf(escapeKey),
    `0x${escapeKey.keyHash}`,
    true,
    'escape',
  )
  await send(
    admin,
    cloister,
    'addSweepShape',
    1n,
    8n,
    await verifierOf(sweepKey),
    `0x${sweepKey.keyHash}`,
    true,
    'sweep-mini',
  )
  await send(
    oracle,
    cloister,
    'postTable',
    state.table.root,
    state.table.marksRoot,
    ethers.ZeroHash,
    marks,
    true,
  )
  for (const i of [0, 1]) await register(world, members[i]!, keyOf(i), 5n)
  await send(members[0]!, dollar, 'mint', members[0], 1n << 60n)
  await send(members[0]!, dollar, 'approve', address, 1n << 60n)
  await send(members[0]!, cloister, 'deposit', 1n, 1_000_000_010n, 1n)
}, COLD)

test(
  'a sweep of every account, chunk by chunk; a proof of one chunk is none of the next',
  async () => {
    const { time } = await ask(world, 'sweep')
    await setTime(time)
    const { cloister, address, members } = world
    const scope = {
      chainId: 31337n,
      contract: BigInt(address),
      keyHash: BigInt(`0x${sweepKey.keyHash}`),
    }
    // At genesis L1 knows of the sixteen accounts of the house.
    for (const first of [0, 8]) {
      const outcome = sweepChunk(shape, first, { ...state, time, callDelay: TERMS.callDelay })
      if (!outcome.ok) throw new Error(outcome.detail)
      const built = buildSweep(outcome.trace, 123n)
      const { x, y } = statementOf(scope, built.commitment, built.words)
      const proof = await proofOf(sweepKey, built.finish(x, y))
      const args = [1n, 0n, 0n, built.commitment, proof] as const
      await mustRefuse(
        'ProofMustVerify',
        members[5]!,
        cloister,
        'submitSweep',
        1n,
        1n,
        0n,
        built.commitment,
        proof,
      )
      await send(members[5]!, cloister, 'submitSweep', ...args)
      if (first === 0)
        await mustRefuse('ProofMustVerify', members[5]!, cloister, 'submitSweep', ...args)
    }
    expect((await ask(world, 'sweep')).table).toBe(0n)
  },
  COLD,
)

test(
  'a claim by its owner, from the leaf alone',
  async () => {
    const { cloister, members, dollar } = world
    const [alice, bob] = members as [string, string]
    // The deposit is credited by a batch that changes no leaf: the vault then holds what accounts own.
    await submit(world, await createBatch(world, { depositIds: [1n], newRoot: state.tree.root }))
    const claim = escapeClaim(16, state.accounts.get(16)!, state)
    if (!claim.ok) throw new Error(claim.rejection.detail)
    expect(claim.shape.name).toBe('escape')
    expect(claim.statement.equity).toBe(850_000_000n)
    const proof = await proofOf(escapeKey, claim.input)
    const { batchDelay } = TERMS
    await setTime((await ask(world, 'batches', 1n)).time + batchDelay + 1n)
    await send(bob, cloister, 'freeze', GROUND.noBatch, 0n)
    const args = [1n, 16n, claim.statement.equity, proof] as const
    await mustRefuse('CallerMustBeL1Owner', bob, cloister, 'escapeClaim', ...args)
    await mustRefuse(
      'ProofMustVerify',
      alice,
      cloister,
      'escapeClaim',
      1n,
      16n,
      850_000_001n,
      proof,
    )
    await mustRefuse('ProofMustVerify', bob, cloister, 'escapeClaim', 1n, 17n, 850_000_000n, proof)
    await send(alice, cloister, 'escapeClaim', ...args)
    await setTime((await ask(world, 'escape')).claimsEndAt + 1n)
    await send(bob, cloister, 'valuePot', marks)
    const to = ethers.Wallet.createRandom().address
    await send(alice, cloister, 'escapePay', 16n, 1n, to)
    expect(await dollar.getFunction('balanceOf')(to)).toBe(850_000_000n * DOLLAR_UNIT)
  },
  COLD,
)

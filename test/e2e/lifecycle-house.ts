/**
 * A house with its real contracts, its oracle of five signers and real members, on a chain in the
 * process; only the proofs are taken on trust.
 */
import { createRequire } from 'node:module'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Wallet } from 'ethers'
import type { FastifyInstance } from 'fastify'
import { documentHash } from '../../circuits/document.ts'
import type { Shape } from '../../circuits/params.ts'
import { tableOf, type Row } from '../../circuits/table.ts'
import { HouseApi } from '../../client/api.ts'
import { memberKeys } from '../../client/keys.ts'
import { MemberL1 } from '../../client/l1/member-l1.ts'
import { readFundingTables } from '../../client/l1/oracle-tables.ts'
import { Member, isRefused } from '../../client/member.ts'
import { DayOracle } from '../../oracle/day-oracle.ts'
import type { ShapeKey } from '../../prover/artifacts.ts'
import type { Groth16Proof } from '../../prover/groth16.ts'
import type { CompiledContract } from '../../prover/solidity.ts'
import { serve } from '../../sequencer/api.ts'
import { deploy } from '../../sequencer/deploy.ts'
import { House } from '../../sequencer/house.ts'
import { domainOf, senderOf, SequencerL1 } from '../../sequencer/l1.ts'
import { contractsOf } from '../../sequencer/solidity.ts'
import { PROOF } from '../contracts/batch-data.ts'
import { keepUp, provider } from '../contracts/l1.ts'
import { startRpc } from '../oracle/rpc.ts'
import { PATIENT } from '../sequencer/floor.ts'

export const FEE = 100n
const FEE_VIEW_KEY = 777n
const SHAPE: Shape = {
  name: 'lifecycle',
  pages: 8,
  members: 4,
  rows: 8,
  rowsPerNode: 1,
  deposits: 4,
  withdrawals: 2,
  requests: 4,
  rotations: 1,
  rescues: 2,
  forcedExits: 1,
  reductions: 4,
  releases: 2,
}
const word = (i: number): string => String(PROOF[i])
/** Points of the curves: the stub does its pairing work and then accepts. */
const ANY_PROOF = {
  pi_a: [word(0), word(1), '1'],
  pi_b: [
    [word(3), word(2)],
    [word(5), word(4)],
    ['1', '0'],
  ],
  pi_c: [word(6), word(7), '1'],
} as unknown as Groth16Proof

async function fundedKey(): Promise<string> {
  const { address, privateKey } = Wallet.createRandom()
  await provider.send('hardhat_setBalance', [address, '0x56bc75e2d63100000'])
  return privateKey
}

export type LifecycleHouse = {
  readonly house: House
  readonly oracle: DayOracle
  readonly members: readonly (Member & { readonly door: MemberL1 })[]
  readonly rpcUrl: string
  readonly url: string
  readonly contract: string
  readonly oracleContract: string
  readonly notes: readonly string[]
  readonly trade: (
    buyer: Member,
    seller: Member,
    instrument: number,
    quantity: bigint,
    price: bigint,
  ) => Promise<void>
  readonly close: () => Promise<void>
}

/** Deployed, the oracle configured; no table, no member. */
export async function openHouse(memberCount: number): Promise<LifecycleHouse> {
  // The compiler holds the thread for a minute: connections that were open would be lost.
  contractsOf()
  keepUp()
  const rpc = await startRpc()
  const folder = mkdtempSync(join(tmpdir(), 'cloister-lifecycle-'))
  const tables = join(folder, 'tables')
  const [adminKey, operatorKey, payerKey] = (await Promise.all([
    fundedKey(),
    fundedKey(),
    fundedKey(),
  ])) as [string, string, string]
  const { artifacts } = createRequire(import.meta.url)('hardhat')
  const stub = (await artifacts.readArtifact('StubVerifier')) as CompiledContract
  const key = { shape: SHAPE, keyHash: '22'.repeat(32), zkeyPath: 'x.development.zkey' } as ShapeKey
  const admin = senderOf(rpc.url, adminKey)
  const deployment = await deploy({
    admin: admin.sender,
    operator: new Wallet(operatorKey).address,
    oracle: null,
    verifiers: [{ key, contract: stub }],
    feeAccountViewKey: FEE_VIEW_KEY,
    fee: FEE,
    refundDelaySeconds: 172_800n,
  })
  admin.close()
  const { contract, token } = deployment
  const oracleContract = deployment.oracle as string
  const house = new House({
    rpcUrl: rpc.url,
    deployment,
    domain: domainOf(deployment.chainId, contract),
    // No node is silent because the machine stood still.
    l1: new SequencerL1(rpc.url, contract, operatorKey, { timeoutMilliseconds: 120_000 }),
    prove: async () => ANY_PROOF,
    feeAccountViewKey: FEE_VIEW_KEY,
    keys: [key],
    fee: FEE,
    tableByRoot: (root) => tableOf(rowsIn(join(tables, `${root}.json`))),
    log: () => {},
  })
  const notes: string[] = []
  const oracle = await DayOracle.open({
    rpcUrl: rpc.url,
    oracle: oracleContract,
    adminKey,
    payerKey,
    tables,
    note: (line) => notes.push(line),
  })
  const app: FastifyInstance = await serve(house, 0, { limits: PATIENT })
  const members: (Member & { readonly door: MemberL1 })[] = []
  for (let i = 0; i < memberCount; i++) {
    const door = new MemberL1(rpc.url, contract, token, await fundedKey())
    const member = new Member({
      api: new HouseApi(app.listeningOrigin),
      l1: door,
      keys: memberKeys(new Uint8Array(32).fill(i + 1), `M${i}`),
      record: { account: null, deposits: 0 },
      journalPath: join(folder, `${i}.journal`),
      fundingTables: () => readFundingTables(rpc.url, contract),
    })
    members.push(Object.assign(member, { door }))
  }
  let count = 0
  return {
    house,
    oracle,
    members,
    rpcUrl: rpc.url,
    url: app.listeningOrigin,
    contract,
    oracleContract,
    notes,
    trade: async (buyer, seller, instrument, quantity, price) => {
      const text = `trade ${++count}`
      const made = await buyer.propose(
        `${documentHash(text)}`,
        seller.account,
        [{ instrument, quantity, price }],
        text,
      )
      if (isRefused(made)) throw new Error(`${made.refused}: ${made.detail}`)
      const affirmed = await seller.api.affirm(made.id)
      if (isRefused(affirmed)) throw new Error(`${affirmed.refused}: ${affirmed.detail}`)
      if (affirmed.state === 'refused') throw new Error(`${affirmed.refused}`)
      const outcomes = await Promise.all(
        [buyer, seller].map(async (side) =>
          side.settleTicket(
            (await side.api.tickets()).find((t) => t.id === made.id)!,
            text,
          ),
        ),
      )
      const rule = outcomes.find((o) => o.rule !== null)?.rule ?? null
      if (rule !== null) throw new Error(rule)
    },
    close: async () => {
      await app.close()
      await oracle.close()
      for (const { door } of members) door.close()
      await house.close()
      rpc.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function rowsIn(file: string): readonly Row[] {
  const rows = JSON.parse(readFileSync(file, 'utf8')) as (Omit<Row, 'addOn' | 'values'> & {
    addOn: string
    values: string[]
  })[]
  return rows.map((row) => ({ ...row, addOn: BigInt(row.addOn), values: row.values.map(BigInt) }))
}

/**
 * A ceremony on a circuit of a house, the claim of most accounts, from a phase-1 file to a claim that the
 * exported verifier takes. Minutes of computing: with CLOISTER_LONG=1. Phase 1 is of a tau that the test knows.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { escapeClaim } from '../../circuits/escape.ts'
import { circuitOf, PROJECT_ROOT } from '../../prover/artifacts.ts'
import { DERIVE, type CeremonyCircuit, type Derive } from '../../prover/ceremony/circuit.ts'
import { deployVerifier } from '../../prover/ceremony/evm.ts'
import { blake2bOf } from '../../prover/ceremony/phase1.ts'
import { beacon, contribute, exportKey, initCeremony } from '../../prover/ceremony/steps.ts'
import { announcementHash, readTranscript } from '../../prover/ceremony/transcript.ts'
import { verifyCeremony, type CeremonyReport } from '../../prover/ceremony/verify.ts'
import { deriveToxicWaste } from '../../prover/dev-key.ts'
import { committedFingerprints } from '../../prover/fingerprints.ts'
import { prove, shutdown, type CircuitInput } from '../../prover/groth16.ts'
import { proofWords } from '../../prover/proof-words.ts'
import { row } from '../law/house.ts'
import { accountOf, stateOf } from '../law/states.ts'
import { writeKnownPtau } from './known-ptau.ts'

const NAME = 'escape'
const BEACON_VALUE = 'cd'.repeat(32)
const MINUTES = 60_000
const isLong = process.env['CLOISTER_LONG'] === '1'

/** Compiled once, and the initial key made once for all verifications but the first. */
let compiled: CeremonyCircuit | null = null
const derive: Derive = {
  compile: async () => {
    compiled ??= await DERIVE.compile(NAME)
    return { ...compiled, remove: () => {} }
  },
  initialKey: async (_r1cs, _phase1, zkeyPath) => copyFileSync(at('0.zkey'), zkeyPath),
}

let dir: string
let phase1Path: string
let acceptedPhase1Hash: string
const at = (file: string): string => join(dir, file)
const verify = (zkeyPath: string, more = {}): Promise<CeremonyReport> =>
  verifyCeremony({ circuit: NAME, zkeyPath, phase1Path, acceptedPhase1Hash, derive, ...more })
const failedIn = (report: CeremonyReport) =>
  report.checks.flatMap(({ must, verdict }) => (verdict === 'held' ? [] : [must]))

describe.runIf(isLong)('a ceremony of a circuit that a house uses', () => {
  beforeAll(async () => {
    mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
    dir = mkdtempSync(join(PROJECT_ROOT, '.cache', 'test-ceremony-real-'))
    phase1Path = at('known.ptau')
    writeKnownPtau(phase1Path, 15, deriveToxicWaste('a real shape', Buffer.alloc(32)))
    acceptedPhase1Hash = await blake2bOf(phase1Path)
    await initCeremony({
      circuit: NAME,
      phase1Path,
      acceptedPhase1Hash,
      zkeyPath: at('0.zkey'),
      parties: ['Ann', 'Ben'],
      beacon: { source: 'the hash of block 20000000', iterationsLog2: 10 },
    })
    await contribute({ from: at('0.zkey'), to: at('1.zkey'), name: 'Ann' })
    await contribute({ from: at('1.zkey'), to: at('2.zkey'), name: 'Ben', typed: 'dice: 4 1 6' })
    await beacon({ from: at('2.zkey'), to: at('final.zkey'), value: BEACON_VALUE })
  }, 30 * MINUTES)

  afterAll(async () => {
    await shutdown()
    compiled?.remove()
    rmSync(dir, { recursive: true, force: true })
  })

  it(
    'holds in every check, with everything made again',
    async () => {
      const published = readTranscript(at('final.transcript.json')).steps.flatMap((step) =>
        step.kind === 'contribution' ? [step.contributionHash] : [],
      )
      const report = await verify(at('final.zkey'), {
        derive: DERIVE,
        published,
        announcement: announcementHash(readTranscript(at('0.transcript.json'))),
        beaconValue: BEACON_VALUE,
      })
      expect(failedIn(report)).toEqual([])
      expect(report.checks).toHaveLength(13)
      expect(report.verdict).toBe('held')
    },
    30 * MINUTES,
  )

  it('is of the circuit whose hash is committed', async () => {
    const { circuit } = readTranscript(at('final.transcript.json'))
    expect(circuit.r1csSha256).toBe(committedFingerprints().shapes[NAME]?.r1csSha256)
  })

  it(
    'without any contribution is forged, and with the last one left out is named',
    async () => {
      const forged = failedIn(await verify(at('0.zkey')))
      expect(forged).toContain('ForgeryMustFail')
      expect(forged).toContain('KeyMustBeContributedTo')
      await expect(exportKey(at('0.zkey'), at('none'))).rejects.toThrow('KeyMustBeContributedTo')
      expect(failedIn(await verify(at('1.zkey')))).toEqual([
        'PartyMustHaveContributed',
        'BeaconMustBeAsAnnounced',
      ])
    },
    20 * MINUTES,
  )

  it(
    'gives a key that proves a claim, and a verifier that takes it and no other',
    async () => {
      const exported = await exportKey(at('final.zkey'), at('keys'))
      const verifier = await deployVerifier(
        exported.contractName,
        readFileSync(exported.verifierPath, 'utf8'),
      )
      const account = accountOf(123n, [{ id: 1024, quantity: 3n }])
      const claim = escapeClaim(16, account, stateOf({ 16: account }, [row(1024, 50_000_000n)], []))
      if (!claim.ok) throw new Error(claim.rejection.detail)
      const entry = join(PROJECT_ROOT, 'circuits', 'shapes', `${NAME}.circom`)
      const { wasmPath } = await circuitOf(entry, NAME)
      const made = await prove(at('final.zkey'), wasmPath, claim.input as CircuitInput)
      const [a0, a1, b0, b1, b2, b3, c0, c1] = proofWords(made.proof) as [
        ...[bigint, bigint, bigint, bigint],
        ...[bigint, bigint, bigint, bigint],
      ]
      const call = {
        a: [a0, a1],
        b: [
          [b0, b1],
          [b2, b3],
        ],
        c: [c0, c1],
      } as const
      const signals = made.publicSignals.map(BigInt)
      expect(signals).toContain(150_000_123n)
      expect(await verifier({ ...call, signals })).toBe(true)
      // One micro-dollar more, and the initial key's proof of the same.
      const more = signals.map((signal) => (signal === 150_000_123n ? signal + 1n : signal))
      expect(await verifier({ ...call, signals: more })).toBe(false)
      const other = await prove(at('0.zkey'), wasmPath, claim.input as CircuitInput)
      const words = proofWords(other.proof)
      const stale = {
        a: words.slice(0, 2),
        b: [words.slice(2, 4), words.slice(4, 6)],
        c: words.slice(6),
      }
      expect(await verifier({ ...(stale as never as typeof call), signals })).toBe(false)
    },
    20 * MINUTES,
  )
})

/** A whole ceremony on a small circuit: its steps, its key, and what each step refuses. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isDevelopmentKey } from '../../prover/artifacts.ts'
import { DERIVE } from '../../prover/ceremony/circuit.ts'
import { deployVerifier } from '../../prover/ceremony/evm.ts'
import { forge, forgeableOf, isRatioOf, publicGuesses } from '../../prover/ceremony/forge.ts'
import { blake2bOf } from '../../prover/ceremony/phase1.ts'
import { applyBeacon, writeInitialKey } from '../../prover/ceremony/phase2.ts'
import { beacon, contribute, exportKey, initCeremony } from '../../prover/ceremony/steps.ts'
import {
  announcementHash,
  readTranscript,
  transcriptPathOf,
} from '../../prover/ceremony/transcript.ts'
import { readKeyFile, sha256Of } from '../../prover/ceremony/zkey-file.ts'
import { ceremonyKeyOfCircuit } from '../../prover/ceremony-key.ts'
import { circuitVerifierSource } from '../../prover/circuit-key.ts'
import { deriveToxicWaste, writeDevelopmentKey } from '../../prover/dev-key.ts'
import { exportSolidityVerifier, exportVerificationKey } from '../../prover/groth16.ts'
import {
  altered,
  at,
  BEACON_VALUE,
  CIRCUIT,
  CIRCUITS,
  compile,
  derive,
  editStep,
  makeLoneKey,
  phase1Path,
  sealedAnew,
  useCeremony,
  verify,
} from './ceremony-keys.ts'
import { writeKnownPtau } from './known-ptau.ts'

useCeremony()

describe('a ceremony of three parties and a beacon', () => {
  it('holds in every check', async () => {
    const published = readTranscript(at('4.transcript.json')).steps.flatMap((step) =>
      step.kind === 'contribution' ? [step.contributionHash] : [],
    )
    const announcement = announcementHash(readTranscript(at('0.transcript.json')))
    const report = await verify(at('4.zkey'), {
      published,
      announcement,
      beaconValue: BEACON_VALUE,
      derive: DERIVE,
    })
    expect(report.checks.filter(({ verdict }) => verdict !== 'held')).toEqual([])
    expect(report.checks.map(({ must }) => must).sort()).toEqual([
      'AnnouncementMustMatch',
      'BeaconMustBeAsAnnounced',
      'CircuitMustMatch',
      'ContributionsMustChain',
      'DeltaMustNotBeGamma',
      'ForgeryMustFail',
      'KeyFileMustBeWhole',
      'KeyMustBeContributedTo',
      'KeyMustStartFromCircuit',
      'PartyMustHaveContributed',
      'PhaseOneMustBePinned',
      'PublishedContributionMustBeInKey',
      'TranscriptMustMatchKey',
    ])
    expect(report.verdict).toBe('held')
    expect(report.contributions.map(({ name }) => name)).toEqual(['Ann', 'Ben', 'Cyd', 'beacon'])
  })

  it('gives contribution hashes that snarkjs prints itself', async () => {
    const { zKey } = await import('snarkjs')
    const hash = await zKey.contribute(at('0.zkey'), at('direct.zkey'), 'Dot', 'text')
    const [contribution] = (await readKeyFile(at('direct.zkey'))).contributions
    expect(contribution?.hash).toBe(Buffer.from(hash).toString('hex'))
    const log: string[] = []
    const logger = {
      error: () => {},
      warn: () => {},
      debug: () => {},
      info: (s: string) => void log.push(s),
    }
    expect(await zKey.verifyFromInit(at('0.zkey'), phase1Path, at('4.zkey'), logger)).toBe(true)
    const words = log.join('\n').replaceAll(/\s/g, '')
    const { contributions } = await readKeyFile(at('4.zkey'))
    expect(contributions).toHaveLength(4)
    for (const { hash: ours } of contributions) expect(words).toContain(ours)
  })

  it('makes the same initial key again, and never the same contribution', async () => {
    const circuit = await compile(CIRCUIT)
    await writeInitialKey(circuit.r1csPath, phase1Path, at('again.zkey'))
    expect(await sha256Of(at('again.zkey'))).toBe(await sha256Of(at('0.zkey')))
    await contribute({ from: at('0.zkey'), to: at('1b.zkey'), name: 'Ann' })
    const hashes = await Promise.all(['1.zkey', '1b.zkey'].map((file) => readKeyFile(at(file))))
    expect(hashes[0]?.contributions[0]?.hash).not.toBe(hashes[1]?.contributions[0]?.hash)
  })

  it('exports the verification key and a verifier for Solidity', async () => {
    const exported = await exportKey(at('4.zkey'), at('out'))
    const report = await verify(at('4.zkey'))
    expect(exported.contractName).toBe('VerifierOpening')
    expect(report.keyHash).toBe(exported.keyHash)
    expect(JSON.parse(readFileSync(exported.verificationKeyPath, 'utf8'))).toEqual(
      await exportVerificationKey(at('4.zkey')),
    )
    const source = readFileSync(exported.verifierPath, 'utf8')
    expect(source).toContain('contract VerifierOpening {')
    expect(source).not.toContain('DEVELOPMENT')
  })
})

describe('the forgery', () => {
  const statement = [31337n]

  it('succeeds for any statement where the ratio is known, and for no other ratio', async () => {
    const circuit = await compile(CIRCUIT)
    const development = at('opening.development.zkey')
    await writeDevelopmentKey({
      r1csPath: circuit.r1csPath,
      zkeyPath: development,
      name: 'opening',
    })
    const key = forgeableOf(await exportVerificationKey(development))
    const verifier = await deployVerifier(
      'Forged',
      await exportSolidityVerifier(development, 'Forged'),
    )
    const guesses = publicGuesses(circuit.identity, [])
    const known = guesses.filter(({ ratio }) => isRatioOf(key, ratio))
    expect(known.map(({ reason }) => reason)).toEqual(['the secret of the development key'])
    for (const { ratio } of guesses) {
      const isKnown = isRatioOf(key, ratio)
      expect(await verifier(forge(key, ratio, statement))).toBe(isKnown)
      expect(await verifier(forge(key, ratio, [0n]))).toBe(isKnown)
    }
    const [{ ratio } = { ratio: 0n }] = known
    expect(await verifier({ ...forge(key, ratio, statement), signals: [31338n] })).toBe(false)
  })

  it('knows the secret of a beacon as snarkjs derives it', async () => {
    await applyBeacon(at('0.zkey'), at('just-beacon.zkey'), 'beacon', BEACON_VALUE, 10)
    const key = await readKeyFile(at('just-beacon.zkey'))
    const guesses = publicGuesses({ name: 'opening', r1csSha256: '00' }, [
      { value: BEACON_VALUE, iterationsLog2: 10 },
    ])
    expect(guesses.map(({ ratio }) => isRatioOf(key, ratio))).toEqual([false, false, true])
    expect(isRatioOf(await readKeyFile(at('4.zkey')), guesses[2]?.ratio ?? 0n)).toBe(false)
  })
})

describe('a step refuses', () => {
  it('to follow a beacon', async () => {
    await expect(contribute({ from: at('4.zkey'), to: at('5.zkey'), name: 'Ann' })).rejects.toThrow(
      'BeaconMustBeLast',
    )
    await expect(
      beacon({ from: at('4.zkey'), to: at('5.zkey'), value: BEACON_VALUE }),
    ).rejects.toThrow('BeaconMustBeLast')
  })

  it('a beacon that was not announced', async () => {
    const key = altered(at('3.zkey'), 'unannounced', (told) =>
      sealedAnew({ ...told, announced: { ...told.announced, beacon: null } }),
    )
    await expect(beacon({ from: key, to: at('5.zkey'), value: BEACON_VALUE })).rejects.toThrow(
      'BeaconMustBeAsAnnounced',
    )
  })

  it.each(['', 'xyz', 'AB'.repeat(32), 'ab'.repeat(15), 'ab'.repeat(256)])(
    'the beacon value number %#',
    async (value) => {
      await expect(beacon({ from: at('3.zkey'), to: at('5.zkey'), value })).rejects.toThrow(
        'must be',
      )
    },
  )

  it('a party that was not announced, and a name that is none', async () => {
    const from = at('3.zkey')
    for (const name of ['Eve', '', ' Ann', 'A\nB', 'x'.repeat(65)])
      await expect(contribute({ from, to: at('5.zkey'), name })).rejects.toThrow('must be')
  })

  it('to go on from a transcript that was changed on the way', async () => {
    const from = altered(at('1.zkey'), 'changed', (told) =>
      editStep(told, 0, { zkeySha256: '0'.repeat(64) }),
    )
    await expect(contribute({ from, to: at('5.zkey'), name: 'Ben' })).rejects.toThrow(
      'not as its last step left it',
    )
  })

  it('to write over a file', async () => {
    await expect(contribute({ from: at('0.zkey'), to: at('1.zkey'), name: 'Ann' })).rejects.toThrow(
      'StepMustNotOverwrite',
    )
  })

  it('a key that does not fit its transcript', async () => {
    const key = altered(at('2.zkey'), 'misfit', (told) => editStep(told, 2, { name: 'Eve' }))
    await expect(contribute({ from: key, to: at('5.zkey'), name: 'Cyd' })).rejects.toThrow(
      'TranscriptMustMatchKey',
    )
  })

  it('a development key, under whatever name', async () => {
    const circuit = await compile(CIRCUIT)
    const zkeyPath = at('renamed.development.zkey')
    await writeDevelopmentKey({ r1csPath: circuit.r1csPath, zkeyPath, name: 'opening' })
    copyFileSync(zkeyPath, at('renamed.zkey'))
    for (const path of [zkeyPath, at('renamed.zkey')])
      expect(isDevelopmentKey({ zkeyPath: path })).toBe(true)
    expect(isDevelopmentKey({ zkeyPath: at('4.zkey') })).toBe(false)
    for (const path of [zkeyPath, at('renamed.zkey')])
      await expect(readKeyFile(path)).rejects.toThrow('KeyMustNotBeOfDevelopment')
  })

  it('a phase 1 too small for the circuit', async () => {
    const path = at('small.ptau')
    writeKnownPtau(path, 8, deriveToxicWaste('small', Buffer.alloc(32)))
    await expect(
      initCeremony({
        circuit: join(CIRCUITS, 'opening-of-three.circom'),
        phase1Path: path,
        acceptedPhase1Hash: await blake2bOf(path),
        zkeyPath: at('too-large.zkey'),
        parties: [],
        beacon: null,
        derive,
      }),
    ).rejects.toThrow('PhaseOneMustBeWhole')
  })
})

describe('a key from a directory, for a house', () => {
  /** As `ceremonyKeyOfCircuit` looks for it, with the transcript beside. */
  const keep = (name: string, zkey: string, told = transcriptPathOf(zkey)): string => {
    const folder = at(`keys-${name}`)
    mkdirSync(folder, { recursive: true })
    copyFileSync(zkey, join(folder, 'opening.zkey'))
    copyFileSync(told, join(folder, 'opening.transcript.json'))
    return folder
  }
  const read = (folder: string, entry = CIRCUIT) =>
    ceremonyKeyOfCircuit('opening', folder, undefined, entry)

  it('is the one that verification calls good, and none of development', async () => {
    const key = await read(keep('good', at('4.zkey')))
    expect(key.keyHash).toBe((await verify(at('4.zkey'))).keyHash)
    expect(isDevelopmentKey(key)).toBe(false)
    expect((await circuitVerifierSource(key)).name).toBe('VerifierOpening')
  })

  it('must be there, whole, contributed to, of this circuit and of its transcript', async () => {
    await expect(read(at('nowhere'))).rejects.toThrow('there must be a key of opening')
    await expect(read(keep('bare', at('0.zkey')))).rejects.toThrow('KeyMustBeContributedTo')
    await expect(read(keep('lone', await makeLoneKey()))).rejects.toThrow('KeyMustBeContributedTo')
    const told = keep('told', at('4.zkey'), at('3.transcript.json'))
    await expect(read(told)).rejects.toThrow('TranscriptMustMatchKey')
    const other = join(CIRCUITS, 'opening-of-another-tag.circom')
    await expect(read(keep('other', at('4.zkey')), other)).rejects.toThrow('CircuitMustMatch')
    const cut = at('cut-key.zkey')
    writeFileSync(cut, readFileSync(at('4.zkey')).subarray(0, -1))
    const folder = keep('cut', cut, at('4.transcript.json'))
    await expect(read(folder)).rejects.toThrow('KeyFileMustBeWhole')
    const circuit = await compile(CIRCUIT)
    const forged = at('forged.development.zkey')
    await writeDevelopmentKey({ r1csPath: circuit.r1csPath, zkeyPath: forged, name: 'opening' })
    const renamed = keep('renamed', forged, at('4.transcript.json'))
    await expect(read(renamed)).rejects.toThrow('KeyMustNotBeOfDevelopment')
  })
})

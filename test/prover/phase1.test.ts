/** Phase 1: only what has the pinned hash is taken, from wherever it comes. */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'
import { download, fetchPhaseOne, powerFor, publicFileName } from '../../prover/ceremony/phase1.ts'
import { deriveToxicWaste } from '../../prover/dev-key.ts'
import { domainSizeFor } from '../../prover/qap.ts'
import { writeKnownPtau } from './known-ptau.ts'

let dir: string
let server: Server
let address: string
let file: Buffer

beforeAll(async () => {
  mkdirSync(join(PROJECT_ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(PROJECT_ROOT, '.cache', 'test-phase1-'))
  writeKnownPtau(join(dir, 'known.ptau'), 8, deriveToxicWaste('mirror', Buffer.alloc(32)))
  file = readFileSync(join(dir, 'known.ptau'))
  server = createServer((request, response) => {
    if (request.url?.includes('missing')) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-length': file.length })
    // Cut: the line breaks in the middle of the file.
    if (request.url?.includes('cut'))
      return void response.write(file.subarray(0, 1000), () => response.destroy())
    response.end(file)
  })
  // A connection that is ended while it is asked is a call that fails.
  server.keepAliveTimeout = 0
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

afterAll(() => {
  server.close()
  rmSync(dir, { recursive: true, force: true })
})

const hashOf = (bytes: Buffer): string => createHash('blake2b512').update(bytes).digest('hex')
const partials = (): string[] => readdirSync(dir).filter((name) => name.includes('partial'))

it('downloads a file that has the hash', async () => {
  const path = join(dir, 'fetched.ptau')
  let seen = 0
  const power = await download(new URL('good', address), path, hashOf(file), (n) => {
    seen = n
  })
  expect(power).toBe(8)
  expect(seen).toBe(file.length)
  expect(readFileSync(path).equals(file)).toBe(true)
})

it.each([
  ['of another hash', 'other', 'PhaseOneMustBePinned'],
  ['that is not there', 'missing', '404'],
  ['that breaks off', 'cut', 'terminated'],
])('keeps nothing of a file %s', async (_, name, words) => {
  const path = join(dir, `${name}.ptau`)
  const pinned = name === 'other' ? hashOf(Buffer.from('other')) : hashOf(file)
  await expect(download(new URL(name, address), path, pinned)).rejects.toThrow(words)
  expect(readdirSync(dir)).not.toContain(`${name}.ptau`)
  expect(partials()).toEqual([])
})

it('refuses from a mirror what the public hash is not of', async () => {
  const path = join(dir, 'mirrored.ptau')
  const fetching = fetchPhaseOne({ power: 8, path, mirror: address })
  await expect(fetching).rejects.toThrow(/PhaseOneMustBePinned.*d6a8fb3a04feb600/)
})

it('refuses a file that has its hash and is no phase 1', async () => {
  writeFileSync(join(dir, 'text'), 'text')
  const keep = file
  file = Buffer.from('a text of more than twelve bytes')
  const path = join(dir, 'text.ptau')
  await expect(download(new URL('text', address), path, hashOf(file))).rejects.toThrow(
    'PhaseOneMustBeWhole',
  )
  file = keep
  expect(readdirSync(dir)).not.toContain('text.ptau')
})

it('has a public file for 2^8 to 2^28 and the pins of the snarkjs that is installed', () => {
  const readme = readFileSync(join(PROJECT_ROOT, 'node_modules', 'snarkjs', 'README.md'), 'utf8')
  const source = readFileSync(join(PROJECT_ROOT, 'prover', 'ceremony', 'phase1.ts'), 'utf8')
  for (let power = 8; power <= 28; power++) {
    const row = readme.split('\n').find((line) => line.includes(`[${publicFileName(power)}]`))
    const pin = /([0-9a-f]{128}) \|/.exec(row ?? '')?.[1]
    expect(pin).toBeDefined()
    expect(source, `2^${power}`).toContain(pin)
  }
  for (const power of [7, 29, 8.5]) expect(() => publicFileName(power)).toThrow('from 8 to 28')
  expect(publicFileName(8)).toBe('powersOfTau28_hez_final_08.ptau')
  expect(publicFileName(28)).toBe('powersOfTau28_hez_final.ptau')
})

it('asks for the power whose domain snarkjs will use, at its edges', () => {
  expect(powerFor({ nConstraints: 1, nPublic: 1 })).toBe(8)
  for (const nConstraints of [250, 251, 252, 253, 254, 65_532, 65_533, 253_306, 578_728]) {
    const circuit = { nConstraints, nPublic: 3 }
    // snarkjs 0.7.6, src/zkey_new.js: log2(constraints + public) + 1.
    expect(powerFor(circuit)).toBe(Math.floor(Math.log2(nConstraints + 3)) + 1)
    expect(2 ** powerFor(circuit)).toBe(domainSizeFor(circuit))
  }
})

/** Backends by name, and the files that one of them needs: erased whatever happens. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { BASE_PRIME } from '../../prover/bn254.ts'
import { backendFromEnvironment, openBackend } from '../../prover/backends.ts'
import { calculateWitness, prove, shutdown, verify, type Proof } from '../../prover/groth16.ts'
import { createProverPool, ProveError } from '../../prover/pool.ts'
import {
  erase,
  eraseLeftovers,
  privateRoot,
  withPrivateDirectory,
} from '../../prover/private-files.ts'
import { findRapidsnark, rapidsnarkFromEnvironment } from '../../prover/rapidsnark.ts'
import { until } from '../until.ts'
import { BROKEN, compileOpening, OPENING, type Opening } from './opening.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloister-backends-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What this process has left: others have prover processes, too, which leave and erase their own. */
const left = (): readonly string[] =>
  readdirSync(privateRoot()).filter((name) => name.startsWith(`cloister-witness-${process.pid}-`))

describe('private files', () => {
  it('are readable by nobody else and gone afterwards, after an error as well', async () => {
    const seen: string[] = []
    const use = (then: () => void) =>
      withPrivateDirectory(async (directory) => {
        seen.push(directory)
        writeFileSync(join(directory, 'witness.wtns'), 'secret')
        expect(statSync(directory).mode & 0o777).toBe(0o700)
        then()
      }, folder)
    await use(() => {})
    await expect(
      use(() => {
        throw new Error('the prover failed')
      }),
    ).rejects.toThrow('the prover failed')
    expect(seen).toHaveLength(2)
    expect(readdirSync(folder)).toEqual([])
  })

  it('are overwritten before they are removed, and links out are not followed', () => {
    const outside = join(folder, 'outside')
    writeFileSync(outside, 'not ours')
    const directory = join(folder, 'cloister-witness-1-x')
    mkdirSync(directory)
    symlinkSync(outside, join(directory, 'link'))
    mkdirSync(join(directory, 'sub'))
    erase(directory)
    expect(existsSync(directory)).toBe(false)
    expect(readFileSync(outside, 'utf8')).toBe('not ours')
  })

  it('of processes that are gone are erased, of others they stay', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await new Promise((resolve) => child.once('exit', resolve))
    const dead = join(folder, `cloister-witness-${child.pid}-abc`)
    const alive = join(folder, `cloister-witness-${process.pid}-abc`)
    for (const directory of [dead, alive, join(folder, 'other')]) {
      mkdirSync(directory)
      writeFileSync(join(directory, 'witness.wtns'), 'secret')
    }
    expect(eraseLeftovers(folder)).toBe(1)
    expect(readdirSync(folder).sort()).toEqual([`cloister-witness-${process.pid}-abc`, 'other'])
  })
})

describe('rapidsnark is found', () => {
  const program = (name: string, mode = 0o755): string => {
    const path = join(folder, name)
    writeFileSync(path, '#!/bin/sh\n')
    chmodSync(path, mode)
    return path
  }
  it('on PATH or by its path, and only a program', () => {
    expect(findRapidsnark({}, folder)).toBeNull()
    const plain = program('rapidsnark', 0o644)
    expect(findRapidsnark({}, folder)).toBeNull()
    expect(() => findRapidsnark({ binary: plain })).toThrow('is no program')
    chmodSync(plain, 0o755)
    expect(findRapidsnark({}, `/nowhere:${folder}`)).toBe(plain)
    expect(findRapidsnark({ binary: plain }, '')).toBe(plain)
    expect(() => findRapidsnark({ binary: join(folder, 'none') })).toThrow('is no program')
  })
  it('never in a relative place on PATH', () => {
    program('rapidsnark')
    expect(findRapidsnark({}, `.:${folder.slice(1)}:`)).toBeNull()
  })
  it('with the hash that is pinned, if one is', () => {
    const binary = program('rapidsnark')
    const sha256 = createHash('sha256').update(readFileSync(binary)).digest('hex')
    expect(findRapidsnark({ binary, sha256 })).toBe(binary)
    expect(findRapidsnark({ binary, sha256: sha256.toUpperCase() })).toBe(binary)
    writeFileSync(binary, '#!/bin/sh\n#\n')
    expect(() => findRapidsnark({ binary, sha256 })).toThrow('BinaryMustBeAsPinned')
  })
  it('as the environment says', () => {
    expect(rapidsnarkFromEnvironment({})).toEqual({})
    expect(rapidsnarkFromEnvironment({ RAPIDSNARK_BIN: '/a', RAPIDSNARK_SHA256: 'b' })).toEqual({
      binary: '/a',
      sha256: 'b',
    })
  })
})

it('a backend has a name that is known', () => {
  expect(backendFromEnvironment({})).toBe('snarkjs')
  expect(backendFromEnvironment({ CLOISTER_PROVER: 'snarkjs' })).toBe('snarkjs')
  expect(() => backendFromEnvironment({ CLOISTER_PROVER: 'gpu' })).toThrow('must be one of')
})

describe('a binary that does what it likes', () => {
  let opening: Opening
  let witness: Uint8Array
  let good: Proof
  beforeAll(async () => {
    opening = await compileOpening()
    witness = await calculateWitness(opening.wasmPath, OPENING)
    good = await prove(opening.zkeyPath, opening.wasmPath, OPENING)
  })
  afterAll(async () => {
    await shutdown()
    opening.remove()
  })
  afterEach(() => {
    delete process.env['RAPIDSNARK_BIN']
  })

  /** Called as rapidsnark is: key, witness, proof, public signals. */
  const install = (script: string): void => {
    const binary = join(folder, 'rapidsnark')
    writeFileSync(binary, `#!/bin/sh\n${script}\n`)
    chmodSync(binary, 0o755)
    process.env['RAPIDSNARK_BIN'] = binary
  }
  const answering = ({ proof, publicSignals }: Proof): string => {
    writeFileSync(join(folder, 'proof.json'), JSON.stringify(proof))
    writeFileSync(join(folder, 'public.json'), JSON.stringify(publicSignals))
    return `cp ${folder}/proof.json "$3"; cp ${folder}/public.json "$4"`
  }
  const open = async (notes: string[] = []) =>
    openBackend('rapidsnark', opening, 1, (line) => notes.push(line))

  it('gives a proof like any other, from a private file that is gone', async () => {
    install(`ls -l "$2" > ${folder}/listing; env > ${folder}/env; cp "$2" ${folder}/seen
      ${answering(good)}`)
    process.env['CLOISTER_CANARY'] = 'of no concern to it'
    const backend = await open()
    expect(await backend.prove(witness)).toEqual(good)
    delete process.env['CLOISTER_CANARY']
    expect(readFileSync(join(folder, 'listing'), 'utf8')).toMatch(/^-rw-------/)
    expect(readFileSync(join(folder, 'seen')).equals(Buffer.from(witness))).toBe(true)
    expect(readFileSync(join(folder, 'env'), 'utf8')).not.toContain('CANARY')
    expect(left()).toEqual([])
  })

  it.each([
    ['a proof of something else', () => answering({ ...good, publicSignals: ['1', '7'] })],
    [
      'a proof in numbers that L1 does not take',
      () => {
        const [x, ...rest] = good.proof.pi_a
        const pi_a = [`${BigInt(x as string) + BASE_PRIME}`, ...rest]
        return answering({ ...good, proof: { ...good.proof, pi_a } as Proof['proof'] })
      },
    ],
    ['no proof', () => 'true'],
    ['an exit code', () => 'exit 3'],
    ['more than a proof', () => 'head -c 100000 /dev/zero > "$3"; echo "[]" > "$4"'],
    ['what is no JSON', () => 'echo "{" > "$3"; echo "[]" > "$4"'],
  ])('is not believed: %s', async (_name, script) => {
    install(script())
    const notes: string[] = []
    const { proof, publicSignals } = await (await open(notes)).prove(witness)
    expect(await verify(opening.verificationKey, publicSignals, proof)).toBe(true)
    expect(notes).toEqual([expect.stringContaining('rapidsnark failed, snarkjs takes over')])
    expect(left()).toEqual([])
  })

  it('is missed by name where it is not installed', async () => {
    process.env['RAPIDSNARK_BIN'] = join(folder, 'none')
    await expect(open()).rejects.toThrow('is no program')
  })

  it('leaves a witness only until the next process starts, when it is killed', async () => {
    install(`echo "$2" > ${folder}/witness; echo $$ > ${folder}/pid; exec sleep 3600`)
    const job = { ...opening, input: OPENING, backend: 'rapidsnark' as const }
    const pool = createProverPool(1)
    const killed = pool.prove(job).catch((error: unknown) => error)
    // Until the binary runs its file lies there.
    const file = join(folder, 'pid')
    await until(() => existsSync(file) && readFileSync(file, 'utf8').includes('\n'))
    const witness = readFileSync(join(folder, 'witness'), 'utf8').trim()
    expect(witness.startsWith(privateRoot())).toBe(true)
    expect(statSync(witness).size).toBeGreaterThan(0)
    // As kill -9 on the proving process: it cleans up nothing, and any that starts then does.
    pool.close()
    expect(await killed).toBeInstanceOf(ProveError)
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
    const next = createProverPool(1)
    const { publicSignals } = await next.prove({ ...opening, input: OPENING, backend: 'engine' })
    expect(publicSignals).toEqual(good.publicSignals)
    expect(existsSync(dirname(witness))).toBe(false)
    next.close()
  })
})

describe('a pool', () => {
  let opening: Opening
  beforeAll(async () => {
    opening = await compileOpening()
  })
  afterAll(() => opening.remove())

  it.skipIf(process.platform !== 'linux')(
    'keeps a process and its key for the next proof',
    async () => {
      // Children that wait keep nobody alive, so Node does not list them. Linux does.
      const all = (): readonly number[] =>
        readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
          .split(' ')
          .flatMap((pid) => (pid === '' ? [] : [Number(pid)]))
      // One that an earlier test has killed may be on its way out.
      const before = new Set(all())
      const children = (): readonly number[] => all().filter((pid) => !before.has(pid))
      const pool = createProverPool(1)
      pool.warm(opening)
      const first = await pool.prove({ ...opening, input: OPENING })
      const failed = await pool.prove({ ...opening, input: BROKEN }).catch((e: unknown) => e)
      expect(failed).toMatchObject({ stage: 'witness' })
      await pool.prove({ ...opening, input: OPENING })
      const [own, ...others] = children()
      expect([typeof own, others]).toEqual(['number', []])
      // It is held, so that no proof can come sooner than the end of its time.
      process.kill(own as number, 'SIGSTOP')
      await expect(pool.prove({ ...opening, input: OPENING, timeoutMs: 1 })).rejects.toThrow(
        'longer',
      )
      expect(children()).toEqual([])
      const again = await pool.prove({ ...opening, input: OPENING })
      expect(again.publicSignals).toEqual(first.publicSignals)
      pool.close()
      await expect(pool.prove({ ...opening, input: OPENING })).rejects.toThrow('closed')
    },
  )

  it('gives no job to a process that it has just let go of', async () => {
    const pool = createProverPool(1, { idleMs: 1 })
    await pool.prove({ ...opening, input: OPENING })
    // It is told to end, and takes a while.
    await new Promise((resolve) => setTimeout(resolve, 5))
    const { publicSignals } = await pool.prove({ ...opening, input: OPENING })
    expect(publicSignals.at(-1)).toBe('7')
    pool.close()
  })

  it('gives up a job that is aborted, before or while it is proven', async () => {
    const pool = createProverPool(1)
    const abort = new AbortController()
    const proving = pool.prove({ ...opening, input: OPENING, signal: abort.signal })
    abort.abort()
    await expect(proving).rejects.toMatchObject({ stage: 'child' })
    await expect(pool.prove({ ...opening, input: OPENING, signal: abort.signal })).rejects.toThrow(
      'before it began',
    )
    pool.close()
  })

  it('that is closed starts nothing for whoever still waits for a turn', async () => {
    const pool = createProverPool(1)
    const words = [0, 1, 2].map(() =>
      pool.prove({ ...opening, input: OPENING }).then(
        () => 'proven',
        (error: unknown) => String(error),
      ),
    )
    pool.close()
    const [underWay, ...waiting] = await Promise.all(words)
    expect(underWay).toContain('ended with SIGKILL and no proof')
    for (const word of waiting) expect(word).toContain('the pool of provers was closed')
  })

  it('has room for one at least', () => {
    for (const room of [0, -1, 1.5]) expect(() => createProverPool(room)).toThrow('at least one')
  })
})

/** Phase 2 by snarkjs: its steps, their refusals made errors, and what it prints caught. */
import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { zKey, type Logger } from '../groth16.ts'
import { CeremonyFailure } from './failure.ts'

/** The initial key of a circuit: the same bytes on every machine, delta equal to gamma. */
export async function writeInitialKey(
  r1csPath: string,
  phase1Path: string,
  zkeyPath: string,
): Promise<void> {
  const complaints: string[] = []
  await atomically(zkeyPath, async (temporary) => {
    const made = await zKey.newZKey(r1csPath, phase1Path, temporary, loggerInto(complaints))
    if (!(made instanceof Uint8Array)) throw new Error(`snarkjs: ${complaints.join('; ')}`)
  })
}

/** snarkjs mixes 64 bytes of its own from the operating system with what is given here. */
export async function contributeTo(
  from: string,
  to: string,
  name: string,
  typed: string,
): Promise<void> {
  const entropy = `${randomBytes(64).toString('hex')}${typed}`
  await atomically(to, (temporary) => zKey.contribute(from, temporary, name, entropy))
}

export async function applyBeacon(
  from: string,
  to: string,
  name: string,
  value: string,
  iterationsLog2: number,
): Promise<void> {
  await atomically(to, async (temporary) => {
    const hash = await zKey.beacon(from, temporary, name, value, iterationsLog2)
    if (hash === false) throw new Error(`snarkjs refuses the beacon ${value}, 2^${iterationsLog2}`)
  })
}

/**
 * Whether every contribution follows from the one before and the last key from the initial one;
 * null if so, else snarkjs' own words.
 */
export async function complaintOf(
  initPath: string,
  phase1Path: string,
  zkeyPath: string,
): Promise<string | null> {
  const complaints: string[] = []
  // It says some of its reasons by console.log, in the midst of a command's output.
  const log = console.log
  console.log = (...words: unknown[]) => void complaints.push(words.join(' '))
  try {
    const isGood = await zKey.verifyFromInit(initPath, phase1Path, zkeyPath, loggerInto(complaints))
    return isGood === true ? null : complaints.join('; ').trim() || 'snarkjs gives no reason'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    console.log = log
  }
}

function loggerInto(complaints: string[]): Logger {
  const silent = (): void => {}
  const keep = (message: string): void => void complaints.push(message)
  return { error: keep, warn: keep, info: silent, debug: silent }
}

/** A file appears whole or not at all, and never in place of another. */
async function atomically(
  path: string,
  write: (temporary: string) => Promise<unknown>,
): Promise<void> {
  if (existsSync(path)) throw new CeremonyFailure('StepMustNotOverwrite', `${path} exists already`)
  const temporary = `${path}.${process.pid}.partial`
  const disk = watchWrites(path)
  try {
    await Promise.race([write(temporary), disk.failed])
    renameSync(temporary, path)
  } finally {
    disk.end()
    rmSync(temporary, { force: true })
  }
}

/** Of a write that fails snarkjs' file library tells the terminal alone, and then waits for ever. */
function watchWrites(path: string): { readonly failed: Promise<never>; readonly end: () => void } {
  const log = console.log
  let isFailed = false
  const end = (): void => {
    // It goes on failing, in the midst of what a program reads.
    if (!isFailed) console.log = log
  }
  const failed = new Promise<never>((_, reject) => {
    console.log = (...words: unknown[]) => {
      const said = words.join(' ')
      if (!said.startsWith('ERROR Writing')) return log(...words)
      isFailed = true
      const why = said.includes('ENOSPC') ? 'the disk is full' : said
      reject(new Error(`${path} could not be written: ${why}; nothing was made`))
    }
  })
  failed.catch(() => {})
  return { failed, end }
}

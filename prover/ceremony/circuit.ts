/** The circuit of a ceremony, of batches, claims or sweeps by its name, or by a file with a main component. */
import { mkdirSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { PROJECT_ROOT } from '../artifacts.ts'
import { circuitNames, entryOfCircuit } from '../circuit-key.ts'
import { compileCircuit } from '../compile.ts'
import { readR1csInfo } from '../r1cs.ts'
import { writeInitialKey } from './phase2.ts'
import type { Transcript } from './transcript.ts'
import { sha256Of } from './zkey-file.ts'

export type CeremonyCircuit = {
  readonly r1csPath: string
  readonly identity: Transcript['circuit']
  /** Removes what was compiled. */
  readonly remove: () => void
}

export type Derive = {
  readonly compile: (
    shapeOrFile: string,
    onProgress?: (what: string) => void,
  ) => Promise<CeremonyCircuit>
  readonly initialKey: (r1csPath: string, phase1Path: string, zkeyPath: string) => Promise<void>
}

let compiled = 0

/**
 * Compiles from the sources of this checkout, never from a cache: a key is only as good as the
 * circuit that somebody compiled.
 */
export const compileForCeremony: Derive['compile'] = async (shapeOrFile, onProgress) => {
  const isFile = shapeOrFile.endsWith('.circom')
  const entry = isFile ? resolve(shapeOrFile) : entryOfCircuit(shapeOrFile)
  if (entry === null)
    throw new Error(`no circuit "${shapeOrFile}"; there are ${circuitNames().join(', ')}`)
  const name = basename(entry, '.circom')
  compiled++
  // Under the root, because the compiler sees nothing above its working directory.
  const outDir = join(PROJECT_ROOT, '.cache', `ceremony-${process.pid}-${compiled}`)
  const remove = (): void => rmSync(outDir, { recursive: true, force: true })
  mkdirSync(outDir, { recursive: true })
  try {
    onProgress?.(`compiling circuit ${name} from its sources`)
    const includeDirs = [join(PROJECT_ROOT, 'circuits'), join(PROJECT_ROOT, 'node_modules')]
    const { r1csPath } = await compileCircuit({ entry, outDir, includeDirs })
    const { nConstraints, nPublic } = readR1csInfo(r1csPath)
    const identity = {
      name,
      r1csSha256: await sha256Of(r1csPath),
      constraints: nConstraints,
      publicSignals: nPublic,
    }
    return { r1csPath, identity, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** What everybody can make again. Tests that make it often may keep it; nothing else does. */
export const DERIVE: Derive = { compile: compileForCeremony, initialKey: writeInitialKey }

/**
 * What gives records their meaning: a snapshot that another program made may hold what this one would
 * never have come to, so it is not looked at.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')
/** The law and the house, and which libraries they are built on. */
const SOURCES = ['circuits', 'sequencer'] as const
const LIBRARIES = 'package-lock.json'

/**
 * SHA-256 over every source of law and house, the versions of the libraries, and the engine that runs
 * them, which also says how its values are written as bytes.
 */
export function programHash(root: string = ROOT): Buffer {
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  )
  const { version, arch } = process
  const hash = createHash('sha256').update(`cloister program 1 ${version} ${arch}\n`)
  // Who installs without it has no other record of what was installed.
  const libraries = existsSync(join(root, LIBRARIES)) ? [LIBRARIES] : []
  for (const file of [...files.sort(), ...libraries]) {
    const text = readFileSync(join(root, file))
    hash.update(`${file} ${text.length}\n`).update(text)
  }
  return hash.digest()
}

/** As the files were when this process began: what is put in their place later is another program. */
export const PROGRAM: Buffer = programHash()

/** Files of the cache, which several processes make at the same time. */
import { randomUUID } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Whoever reads the file sees all of it or none. Written under a name of its own first, since two
 * processes that share one would rename it under each other's hands.
 */
export function writeWholeFile(path: string, text: string): void {
  const temporary = `${path}.${randomUUID()}.partial`
  try {
    writeFileSync(temporary, text, { flag: 'wx' })
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}

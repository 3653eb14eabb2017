/** Where things lie: the project is found from this file, so that any working directory will do. */
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** `npm start -- --stay` writes it. */
export function dayPath(): string {
  return process.env['CLOISTER_DAY'] ?? join(ROOT, '.cache', 'day.json')
}

/** A path as the user meant it: npm run changes the working directory and says what it was. */
export function fromHere(path: string): string {
  const isNpmRun = process.env['npm_lifecycle_event'] === 'cloister'
  return resolve(isNpmRun ? (process.env['INIT_CWD'] ?? '.') : '.', path)
}

/** The command on a terminal or in a pipe: an answer that could not be written is no answer. */
import type { Writable } from 'node:stream'
import { main } from './main.ts'

type Streams = { readonly out: Writable; readonly err: Writable }

/**
 * Runs one command and returns its exit code: that of the command, or 2 if its answer could not be
 * written, as on a full disk. A reader that has left (`| head -1`) changes nothing: what was asked for
 * was done, and a house that is kept is not ended by it.
 */
export async function runOnConsole(
  argv: readonly string[],
  { out, err }: Streams = { out: process.stdout, err: process.stderr },
): Promise<number> {
  let failed: NodeJS.ErrnoException | null = null
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') failed ??= error
  })
  // Progress that nobody can read is no reason to stop.
  err.on('error', () => {})
  const code = await main(argv, {
    out: (text) => void out.write(text),
    err: (text) => void err.write(text),
  })
  await new Promise<void>((resolve) => void out.write('', () => resolve()))
  const { message } = (failed ?? {}) as { message?: string }
  if (message === undefined) return code
  err.write(`cloister: the answer could not be written, the command itself ended with ${code}: `)
  await new Promise<void>((resolve) => void err.write(`${message}\n`, () => resolve()))
  return 2
}

/** What was printed has left the process: an answer that could not be written is no answer. */
import type { Writable } from 'node:stream'

export type Streams = { readonly out: Writable; readonly err: Writable }

/**
 * To be called before anything is printed. What it returns waits until a pipe's reader has taken all,
 * and gives the exit code: the given one, or 2 if the answer could not be written, as on a full disk.
 * A reader that has left (`| head -1`) changes nothing: what was asked for was done, and a house that
 * is kept is not ended by it.
 */
export function watchWritten(
  { out, err }: Streams = { out: process.stdout, err: process.stderr },
): (code: number) => Promise<number> {
  let failed: Error | null = null
  out.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') failed ??= error
  })
  // Progress that nobody can read is no reason to stop.
  err.on('error', () => {})
  const taken = (stream: Writable, text = ''): Promise<void> =>
    new Promise((resolve) => void stream.write(text, () => resolve()))
  return async (code) => {
    await Promise.all([taken(out), taken(err)])
    if (failed === null) return code
    const why = (failed as Error).message
    const ended = `the answer could not be written, the command itself ended with ${code}`
    await taken(err, `cloister: ${ended}: ${why}\n`)
    return 2
  }
}

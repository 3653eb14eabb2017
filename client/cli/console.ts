/** The command on a terminal or in a pipe. */
import { main } from './main.ts'
import { watchWritten, type Streams } from './written.ts'

/** Runs one command and returns its exit code once its answer has left, or 2 if it cannot. */
export async function runOnConsole(
  argv: readonly string[],
  streams: Streams = { out: process.stdout, err: process.stderr },
): Promise<number> {
  const written = watchWritten(streams)
  const { out, err } = streams
  const code = await main(argv, {
    out: (text) => void out.write(text),
    err: (text) => void err.write(text),
  })
  return written(code)
}

/** What was printed has left: to a pipe, whatever its reader has not taken yet is written later. */

/** Resolves when both streams are through; a reader that has gone, as `head` does, is no reason to stay. */
export async function flushed(
  streams: readonly NodeJS.WritableStream[] = [process.stdout, process.stderr],
): Promise<void> {
  await Promise.all(
    streams.map((stream) => new Promise<void>((done) => stream.write('', () => done()))),
  )
}

/**
 * A reader that has gone is told of by an event, which would end the process with a stack trace; so
 * would a disk that is full, which is said in one line.
 */
export function outliveReaders(
  streams: readonly NodeJS.WritableStream[] = [process.stdout, process.stderr],
): void {
  for (const stream of streams)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return
      if (stream !== process.stderr)
        process.stderr.write(`cloister: the output cannot be written: ${error.message}\n`)
      process.exit(2)
    })
}

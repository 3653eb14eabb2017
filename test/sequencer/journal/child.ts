/**
 * A process that keeps a journal and says what it has acknowledged, one line each, and that can be
 * told to die by SIGKILL at the n-th step of the disk: before it, halfway through it, or after it.
 */
import { writeSync } from 'node:fs'
import { DISK, type Disk } from '../../../sequencer/journal/disk.ts'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'

const [directory, dieAt, segmentBytes, records, group] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const die = (): never => {
  process.kill(process.pid, 'SIGKILL')
  // Nothing more happens in this thread.
  for (;;);
}
let step = 0
const mayDie = (): void => {
  if (step++ === Number(dieAt)) die()
}
async function around<T>(work: () => Promise<T>): Promise<T> {
  mayDie()
  const result = await work()
  mayDie()
  return result
}
const disk: Disk = {
  ...DISK,
  rename: (from, to) => around(() => DISK.rename(from, to)),
  syncDirectory: (path) => around(() => DISK.syncDirectory(path)),
  open: async (path) => {
    const file = await around(() => DISK.open(path))
    return {
      ...file,
      write: async (bytes, position) => {
        mayDie()
        const half = bytes.length >> 1
        await file.write(bytes.subarray(0, half), position)
        mayDie()
        await file.write(bytes.subarray(half), position + half)
        mayDie()
      },
      sync: () => around(() => file.sync()),
      truncate: (length) => around(() => file.truncate(length)),
    }
  },
}
const journal = await FileJournal.open({
  directory,
  sealer: sealerOf(new Uint8Array(32).fill(1)),
  segmentBytes: Number(segmentBytes),
  disk,
})
writeSync(1, 'open\n')
for (let i = 0; i < Number(records); i += Number(group)) {
  const texts = Array.from({ length: Number(group) }, (_, k) => `${journal.head.sequence + 1 + k}`)
  await Promise.all(
    texts.map((text) =>
      journal
        .append(Buffer.from(text))
        .then((sequence) => writeSync(1, `acknowledged ${sequence} ${text}\n`)),
    ),
  )
}
writeSync(1, `steps ${step}\n`)
// Until it is told otherwise it holds the directory.
if (Number(records) === 0) setInterval(() => {}, 1000)
else await journal.close()

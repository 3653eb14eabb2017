/**
 * A process that keeps a journal and says what it has acknowledged, one line each, and that can be
 * told to die by SIGKILL at the n-th step of the disk: before it, halfway through it, or after it.
 */
import { writeSync } from 'node:fs'
import { FileJournal } from '../../../sequencer/journal/file-journal.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'
import { diskThat, dyingAt } from './dying-disk.ts'

const [directory, dieAt, segmentBytes, records, group] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
]
const { mayDie, around, steps } = dyingAt(Number(dieAt))
const disk = diskThat(mayDie, around)
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
writeSync(1, `steps ${steps()}\n`)
// Until it is told otherwise it holds the directory.
if (Number(records) === 0) setInterval(() => {}, 1000)
else await journal.close()

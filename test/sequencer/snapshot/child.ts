/** A process that takes a snapshot of a journal, and that can be told to die at the n-th step of the disk. */
import { writeSync } from 'node:fs'
import { openReader } from '../../../sequencer/journal/open.ts'
import { bring } from '../../../sequencer/snapshot/command.ts'
import { storeOf } from '../../../sequencer/snapshot/resume.ts'
import type { Store } from '../../../sequencer/snapshot/store.ts'
import { diskThat, dyingAt } from '../journal/dying-disk.ts'

const [journal, key, dieAt] = process.argv.slice(2) as [string, string, string]
const configuration = { journal, key }
const { mayDie, around, steps } = dyingAt(Number(dieAt))
const disk = diskThat(mayDie, around)
const { sequence } = await bring(await openReader(configuration), {
  ...(storeOf(configuration) as Store),
  disk: { ...disk, remove: (path) => around(() => disk.remove(path)) },
})
writeSync(1, `taken ${sequence} steps ${steps()}\n`)

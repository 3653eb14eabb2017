/** A process that leads a journal in PostgreSQL, or waits until it does, and writes without a pause. */
import { writeSync } from 'node:fs'
import {
  PostgresFollower,
  type PostgresJournal,
} from '../../../sequencer/journal/postgres-journal.ts'
import { sealerOf } from '../../../sequencer/journal/seal.ts'

const [url, name] = process.argv.slice(2) as [string, string]
const follower = await PostgresFollower.open({ url, sealer: sealerOf(new Uint8Array(32).fill(1)) })
writeSync(1, 'waiting\n')
let journal: PostgresJournal | null = null
while (journal === null) {
  journal = await follower.lead()
  await new Promise((resolve) => setTimeout(resolve, 20))
}
const leader = journal
writeSync(1, `leads ${leader.epoch}\n`)
let count = 0
/** Eight callers, as many requests at once would be. */
async function caller(): Promise<never> {
  for (;;) {
    const text = `${name}-${count++}`
    const sequence = await leader.append(Buffer.from(text))
    writeSync(1, `acknowledged ${sequence} ${text}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, caller)).catch((error: unknown) => {
  writeSync(1, `ended ${(error as { rule?: string }).rule ?? String(error)}\n`)
  process.exit(1)
})

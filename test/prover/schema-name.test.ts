/** Names that stand for themselves in SQL, and no others. */
import { expect, it } from 'vitest'
import { isSchemaName } from '../../prover/jobs/schema-name.ts'
import { openPostgresJobs } from '../../prover/jobs/postgres-jobs.ts'
import { PostgresJournal } from '../../sequencer/journal/postgres-journal.ts'
import { sealerOf } from '../../sequencer/journal/seal.ts'

it.each(['c', '_', 'cloister', 'cloister_prover', 'c1', 'a'.repeat(41)])('%s is one', (name) => {
  expect(isSchemaName(name)).toBe(true)
})

const OTHERS = [
  '',
  '1c',
  'Cloister',
  'a-b',
  'a.b',
  'a b',
  'a"b',
  "a'b",
  'a;b',
  'é',
  'a\n',
  'a'.repeat(42),
]
it.each(OTHERS)('%j is none', (name) => {
  expect(isSchemaName(name)).toBe(false)
})

it.each(OTHERS)('neither journal nor jobs ask a server about %j', async (schema) => {
  // Nobody listens there: asked, the error would be another one.
  const url = 'postgres://127.0.0.1:1/none'
  const sealer = sealerOf(new Uint8Array(32))
  await expect(PostgresJournal.open({ url, schema, sealer })).rejects.toThrow(
    'JournalMustBeKnown: ' + schema + ' is no name for a schema',
  )
  await expect(openPostgresJobs({ url, schema })).rejects.toThrow('is no name for a schema')
})

/** docs/l2beat.md and docs/change-control.md name tests and commands that are there, and leave no line bare. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { main } from '../client/cli/main.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const score = read('docs/l2beat.md')
const testsIn = (text: string) =>
  [...text.matchAll(/`([a-z0-9-]+\/[a-z0-9-]+)` "([^"]+)"/g)].map(([, file = '', words = '']) => ({
    file,
    words,
  }))
const commandsIn = (text: string): readonly string[] => [
  ...new Set([...text.matchAll(/`cloister ([a-z]+(?: [a-z]+)?)`/g)].map(([, words = '']) => words)),
]

/** What L2BEAT asks, by words of each line; a requirement that is left out would look met. */
const REQUIREMENTS = [
  'calls itself a rollup',
  'state roots are posted',
  'what the state follows from is posted',
  'recreates the state',
  'functional proof system',
  'five outsiders',
  'principle:',
  'exit without the operator',
  'at least 7 days',
  'council is properly set up',
  'no red trusted setup',
  'prover source published',
  'regenerated from source',
  'program hashes',
  'open to everyone',
  '30 days to exit',
  'acts on bugs',
  'state validation',
  'data availability',
  'exit window',
  'sequencer failure',
  'proposer failure',
]
const rows = score.split('\n').filter((line) => /^\| (?!requirement|risk \|)/.test(line))

describe.each(['docs/l2beat.md', 'docs/change-control.md'])('%s', (document) => {
  const text = read(document)
  it('names tests that are there', () => {
    expect(testsIn(text).length).toBeGreaterThan(4)
    const missing = testsIn(text).filter(({ file, words }) => {
      const path = `test/${file}.test.ts`
      return !existsSync(join(ROOT, path)) || !read(path).replaceAll("\\'", "'").includes(words)
    })
    expect(missing).toEqual([])
  })
  it.each(commandsIn(text))('names a command that is there: cloister %s', async (words) => {
    const said: string[] = []
    const out = (line: string): void => void said.push(line)
    expect(await main([...words.split(' '), '--help'], { out, err: out })).toBe(0)
    // Of a command that is not there the help of what is above it would be shown.
    expect(said.join('')).toMatch(new RegExp(`^Usage: cloister ${words}\\b`))
  })
})

it('every requirement has its line, and every line its test, its command or its plain statement', () => {
  for (const words of REQUIREMENTS) {
    expect(
      rows.filter((row) => row.split('|')[1]?.includes(words)),
      words,
    ).toHaveLength(1)
  }
  expect(rows).toHaveLength(REQUIREMENTS.length)
  for (const row of rows) {
    const shown = row.split('|')[3] ?? ''
    expect(testsIn(shown).length + commandsIn(shown).length, row).toBeGreaterThan(0)
    expect(row.split('|')[2] ?? '', row).toMatch(
      /^ (met|validity|on chain|\d+ days|force|escape|does not apply)|\*\*not met\*\*/i,
    )
  }
})

/** Every test that a threat or a line of the README's table of trust names is there. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
const DOCUMENTS = ['docs/threats.md', 'README.md']

/** `folder/file`, or deeper, and "words of the name". */
const named = (text: string) =>
  [...text.matchAll(/`([a-z0-9-]+(?:\/[a-z0-9-]+)+)` "([^"]+)"/g)].map(
    ([, file = '', words = '']) => ({
      path: join(ROOT, 'test', `${file}.test.ts`),
      file,
      words,
    }),
  )

/** A test with the lists of attacks that it runs: the names of its cases stand there. */
function withLists(path: string): string {
  const text = readFileSync(path, 'utf8')
  const lists = [...text.matchAll(/'(\.\/attacks\/[a-z-]+\.ts)'/g)].map(([, list = '']) => list)
  return [text, ...lists.map((list) => readFileSync(join(dirname(path), list), 'utf8'))].join('\n')
}

describe.each(DOCUMENTS)('%s', (document) => {
  const text = readFileSync(join(ROOT, document), 'utf8')

  it('names tests', () => {
    expect(named(text).length).toBeGreaterThan(document === 'README.md' ? 5 : 40)
  })

  it('names none that is not there', () => {
    const missing = named(text).filter(({ path, words }) => {
      if (!existsSync(path)) return true
      // As the file has it: quotes inside a name may be escaped.
      return !withLists(path).replaceAll("\\'", "'").includes(words)
    })
    expect(missing.map(({ file, words }) => `${file}: ${words}`)).toEqual([])
  })
})

it('a threat has a test, or the plain statement that it is not covered', () => {
  const text = readFileSync(join(ROOT, 'docs/threats.md'), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| ') && !/^\| threat/.test(line))
  expect(rows.length).toBeGreaterThan(40)
  const bare = rows.filter((row) => named(row).length === 0 && !row.includes('**not covered**'))
  expect(bare).toEqual([])
})

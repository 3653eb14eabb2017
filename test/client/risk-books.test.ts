/** cloister risk scenarios and margin: what they teach, refuse and print. */
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { cloister } from './command.ts'

const FOLDER = new URL('../../../shared/vectors/margin/', import.meta.url)
const isThere = existsSync(FOLDER)
if (!isThere)
  console.log('published margin vectors are absent: ../shared/vectors/margin is skipped')

describe('cloister risk', () => {
  test('help names the commands, the format and the exit codes', async () => {
    expect((await cloister('risk', '--help')).out).toMatch(/scenarios[^]*margin/)
    for (const [name, words] of [
      ['scenarios', ['"reason"', 'reads stdin', 'Exit codes']],
      ['margin', ['standard-32', '--scan-range', 'Exit codes']],
    ] as const) {
      const { code, out } = await cloister('risk', name, '--help')
      expect(code).toBe(0)
      for (const word of words) expect(out).toContain(word)
    }
  })

  test('a file that is not there, a bad set, a bad range: 2 and one line', async () => {
    for (const argv of [
      ['scenarios', '/nowhere/books.json'],
      ['margin', '/nowhere/books.json'],
      ['margin', '-', '--worlds', 'standard-64'],
      ['margin', '-', '--scan-range', '1.5'],
      ['margin', '-', '--scan-range', '0'],
      ['scenarios'],
    ]) {
      const { code, out, err } = await cloister('risk', ...argv)
      expect(code).toBe(2)
      expect(out).toBe('')
      expect(err).toMatch(/^cloister: .+\n$/)
    }
  })

  test.skipIf(!isThere)('prints the array itself, with and without --json', async () => {
    const file = new URL('portfolio-scenarios.json', FOLDER).pathname
    for (const flags of [[], ['--json']]) {
      const { code, out } = await cloister('risk', 'scenarios', file, ...flags)
      expect(code).toBe(0)
      const books = JSON.parse(out) as { id: string; scenarios: number[] }[]
      expect(books[0]?.id).toBe('pmrm2-12')
      expect(books[0]?.scenarios).toHaveLength(29)
    }
    const { out } = await cloister('risk', 'margin', file)
    expect(JSON.parse(out)[0].worlds).toHaveLength(16)
  })
})

/** cloister risk scenarios and margin: what they teach, refuse and print. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
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

  describe.skipIf(!isThere)('a file as it may come', () => {
    const folder = mkdtempSync(join(tmpdir(), 'cloister-books-'))
    afterAll(() => rmSync(folder, { recursive: true, force: true }))
    type Option = [number, string, number, number, number | null, number | null]
    type Book = {
      id: string
      inputs: Record<string, unknown> & {
        options: Option[]
        forwards: Record<string, [number, number]>
      }
      expected?: unknown
    }
    const file = new URL('portfolio-scenarios.json', FOLDER).pathname
    const books = (): Book[] => JSON.parse(readFileSync(file, 'utf8')) as Book[]
    const ask = async (command: string, text: string) => {
      const path = join(folder, 'books.json')
      writeFileSync(path, text)
      return cloister('risk', command, path)
    }
    const changed = (change: (book: Book) => void): string => {
      const [book] = books()
      change(book as Book)
      return JSON.stringify([book])
    }

    test('without the published results the order is the same: reg, then tail', async () => {
      const bare = books().map(({ expected: _, ...book }) => book)
      const [with_, without] = [readFileSync(file, 'utf8'), JSON.stringify(bare)]
      expect((await ask('scenarios', without)).out).toBe((await ask('scenarios', with_)).out)
    })

    test('with a mark of byte order, or no book at all', async () => {
      expect((await ask('scenarios', `\uFEFF${JSON.stringify(books())}`)).code).toBe(0)
      expect((await ask('scenarios', '[]')).out.trim()).toBe('[]')
    })

    test.each([
      ['empty', '', /must be JSON/],
      ['half', '[{"id":"a"', /must be JSON/],
      ['no list', '{}', /must be a list/],
      ['NaN', '[{"id":"a","inputs":{"spot":NaN}}]', /must be JSON/],
      ['a doubled id', '[{"id":"a"},{"id":"b"},{"id":"b"}]', /an id of its own: b stands twice/],
    ])('%s: 2, and one line that says what must be', async (_what, text, why) => {
      for (const command of ['scenarios', 'margin']) {
        const { code, out, err } = await ask(command, text)
        expect([code, out]).toEqual([2, ''])
        expect(err).toMatch(why)
      }
    })

    test.each<[string, (book: Book) => void, RegExp]>([
      ['a huge spot', (book) => (book.inputs['spot'] = 1e308), /spot must be positive and below/],
      ['a negative spot', (book) => (book.inputs['spot'] = -1), /spot must be positive/],
      ['a spot of next to nothing', (book) => (book.inputs['spot'] = 5e-324), /spot must be posi/],
      [
        'a forward of next to nothing',
        (book) => (book.inputs.forwards[String(book.inputs.options[0]![3])]![0] = 1e-300),
        /the forward of expiry 794852 must be positive/,
      ],
      [
        'a huge quantity',
        (book) => (book.inputs.options[0]![0] = 1e300),
        /quantity must be within/,
      ],
      ['a side of its own', (book) => (book.inputs.options[0]![1] = 'X'), /side must be C or P/],
      ['a volatility below zero', (book) => (book.inputs.options[0]![4] = -0.1), /volatility/],
    ])('%s is refused by name', async (_what, change, why) => {
      for (const command of ['scenarios', 'margin']) {
        const { code, err } = await ask(command, changed(change))
        expect(code).toBe(2)
        expect(err).toMatch(why)
      }
    })

    test('infinity is called by its name', async () => {
      const text = changed((book) => (book.inputs['spot'] = 12345.678)).replace(
        '12345.678',
        '1e400',
      )
      expect((await ask('scenarios', text)).err).toContain('finite number, not Infinity')
    })

    test.each<[string, (book: Book) => void, string]>([
      ['spot', (book) => delete book.inputs['spot'], 'inputs.spot is not published'],
      [
        'a volatility',
        (book) => (book.inputs.options[0]![4] = null),
        'volatility is not published',
      ],
      ['a forward', (book) => (book.inputs.forwards = {}), 'the forward of expiry'],
    ])(
      'a book that lacks %s is listed with the reason, the others go on',
      async (_w, change, why) => {
        const [first, ...others] = books()
        change(first as Book)
        const { code, out } = await ask('scenarios', JSON.stringify([first, ...others]))
        const answer = JSON.parse(out) as { scenarios: number[] | null; reason?: string }[]
        expect([code, answer.length]).toEqual([0, 6])
        expect(answer[0]).toMatchObject({ scenarios: null, reason: expect.stringContaining(why) })
        expect(answer.slice(1).every(({ scenarios }) => scenarios !== null)).toBe(true)
      },
    )

    test.each<[string, (option: Option, book: Book) => void]>([
      [
        'no time left',
        (option, { inputs }) => {
          inputs.forwards['0'] = inputs.forwards[String(option[3])]!
          option[3] = 0
        },
      ],
      ['no volatility', (option) => (option[4] = 0)],
      ['a hundredfold volatility', (option) => (option[4] = 99)],
      ['a strike far out', (option) => (option[2] = 1e12)],
      ['a strike far in', (option) => (option[2] = 1e-3)],
      ['a rate below zero', (option, { inputs }) => (inputs.forwards[String(option[3])]![1] = -4)],
    ])('%s: numbers and no NaN', async (_what, change) => {
      for (const command of ['scenarios', 'margin']) {
        const { code, out } = await ask(
          command,
          changed((book) => change(book.inputs.options[0] as Option, book)),
        )
        expect(code).toBe(0)
        expect(out).not.toMatch(/null|NaN|Infinity/)
      }
    })

    test('a minute before its expiry a forward is a rate of any size, and a book all the same', async () => {
      const text = changed(({ inputs }) => {
        const option = inputs.options[0] as Option
        inputs.forwards['60'] = [(inputs['spot'] as number) * 1.001, 0.05]
        option[3] = 60
        option[5] = 0.9999
      })
      const { code, out } = await ask('margin', text)
      expect([code, out.includes('null')]).toEqual([0, false])
    })

    test.each<[string, (book: Book, key: string) => void, RegExp]>([
      [
        'forward',
        ({ inputs }, key) => (inputs.forwards[key]![0] = 1000.1 * (inputs['spot'] as number)),
        /the forward of expiry 794852 must be within a factor of 1000 of inputs.spot, not 1000.1/,
      ],
      [
        'discount factor',
        ({ inputs }) => (inputs.options[0]![5] = 1e-4),
        /the discount factor of expiry 794852 must be within a factor of 1000 of one/,
      ],
    ])('a %s that is none is named', async (_what, change, why) => {
      const { code, err } = await ask(
        'margin',
        changed((book) => change(book, String(book.inputs.options[0]![3]))),
      )
      expect(code).toBe(2)
      expect(err).toMatch(why)
    })

    test('what has expired is not charged for gaps: it is paid out', async () => {
      const { out } = await ask(
        'margin',
        changed(({ inputs }) => {
          inputs.forwards['0'] = inputs.forwards[String(inputs.options[0]![3])]!
          inputs.options[0]![3] = 0
        }),
      )
      expect(JSON.parse(out)[0].addOn).toBe(0)
    })
  })
})

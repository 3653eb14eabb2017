/** What README and the documents print: figures as the snapshots have them, commands that are there, links that lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { CIPHER_WORD_COUNT, SHAPES, SLOT_COUNT, WORLD_COUNT } from '../circuits/params.ts'
import { PEERS } from './bench/peers.ts'
import { cloister } from './client/command.ts'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const readme = read('README.md')
const costs = JSON.parse(read('test/law/costs.json')) as {
  readonly shapes: Readonly<Record<string, { readonly constraints: number }>>
  readonly wide: Readonly<Record<string, number>>
}
const gas = read('test/contracts/__snapshots__/gas.test.ts.snap')
const number = (text: string | undefined): number => Number((text ?? '').replaceAll(',', ''))
const thousands = (value: number): string => Math.round(value).toLocaleString('en-US')
/** Gas of a full batch of a shape without withdrawals, or with one. */
const gasOf = (shape: string, withdrawals: 'without withdrawals' | 'with one withdrawal') =>
  number(gas.match(new RegExp(`full ${shape} batch .*${withdrawals} costs ([0-9,]+) gas`))?.[1])

const rows = readme
  .slice(readme.indexOf('| shape | page slots'))
  .split('\n\n')[0]!
  .split('\n')
  .slice(2)
  .map((line) => line.split('|').map((cell) => cell.trim()))

describe('what it costs', () => {
  it.each(rows)('%s%s', (_, name = '', ...cells) => {
    const [pages, trades, accounts, constraints, aTrade, anAccount, ofBatch, gasATrade] = cells
    const shape = SHAPES.find((each) => name.split(' ')[0] === each.name)
    if (shape === undefined) throw new Error(`there is no shape ${name}`)
    expect(number(pages)).toBe(shape.pages)
    expect(number(accounts)).toBe(shape.members)
    const counted = costs.shapes[shape.name]?.constraints ?? 0
    expect(constraints).toBe(thousands(counted))
    expect(anAccount).toBe(thousands(counted / shape.members))
    if (shape.name === 'entry') return
    expect(aTrade).toBe(thousands(counted / number(trades)))
    expect(gasATrade).toBe(thousands(number(ofBatch) / number(trades)))
    const measured = gasOf(shape.name, 'without withdrawals')
    if (['standard', 'large'].includes(shape.name)) expect(number(ofBatch)).toBe(measured)
  })
  it('of all shapes but the one for tests, and of a withdrawal', () => {
    expect(rows.map(([, name]) => name?.split(' ')[0])).toEqual(
      expect.arrayContaining(SHAPES.map(({ name }) => name).filter((name) => name !== 'mini')),
    )
    const more = gasOf('standard', 'with one withdrawal') - gasOf('standard', 'without withdrawals')
    expect(more).toBeGreaterThan(0)
    expect(readme).toContain(`a withdrawal adds ${thousands(more)}`)
    expect(readme).toContain(`ciphertext of ${32 * CIPHER_WORD_COUNT} bytes`)
  })
  it('of others, as the bench has them with their sources', () => {
    for (const { system, constraints, source } of PEERS) {
      expect(readme, system).toContain(constraints)
      expect(readme).toContain(/^\w+/.exec(system)?.[0] ?? system)
      expect(source.length).toBeGreaterThan(10)
    }
  })
  it('is the same where thirty-two worlds are weighed against sixteen', () => {
    const [wide, mini] = [costs.wide['18 balances, 32 worlds'], costs.shapes['mini']?.constraints]
    expect([WORLD_COUNT, SLOT_COUNT]).toEqual([16, 18])
    const more = Math.round((100 * (wide ?? 0)) / (mini ?? 0) - 100)
    expect(read('docs/risk.md')).toContain(
      `${thousands(wide ?? 0)} constraints instead of ${thousands(mini ?? 0)} in the mini shape (+${more} %`,
    )
  })
  it('is the same in the list of what is open', () => {
    const of = (name: string) => costs.shapes[name]?.constraints ?? 0
    expect(read('docs/progress.md')).toContain(
      `standard stands at ${thousands(of('standard') / 64)} a trade, large at ` +
        `${thousands(of('large') / 256)}, sparse at ${thousands(of('sparse') / 16)} an account`,
    )
  })
})

/** Every `cloister ...` that a document prints to be typed, joined where a backslash goes on. */
function typed(document: string): readonly string[] {
  const blocks = [...read(document).matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, body]) => body)
  return blocks
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .flatMap((line) => {
      const [, rest] = line.match(/(?:^|npx )cloister (.*)$/) ?? []
      return rest === undefined ? [] : [rest.replace(/\s#.*$|\s&\s.*$/, '').trim()]
    })
}

describe.each(DOCUMENTS)('%s', (document) => {
  it('prints commands that are there, with options that they have', async () => {
    for (const line of typed(document)) {
      const words = line.match(/'[^']*'|[^\s"()]+/g) ?? []
      // `journal URL` is no subcommand: what is above it answers, and says so.
      const path = words.slice(0, 2).filter((word) => /^[a-z]+$/.test(word))
      const group = await cloister(...path, '--help')
      const name = group.out.match(/^Usage: cloister ((?:[a-z0-9]+ )+)/)?.[1]?.trim() ?? ''
      expect(`${line} `.startsWith(`${name} `), `${line}: ${name}`).toBe(true)
      expect(group.out.includes('[command]') && name !== 'changes', line).toBe(false)
      for (const word of words.filter((each) => each.startsWith('--')))
        expect(group.out, line).toMatch(new RegExp(`^  ${word}\\b`, 'm'))
    }
    if (document === 'README.md') expect(typed(document).length).toBeGreaterThan(20)
  })
  it('leads to files and headings that are there', () => {
    const anchorsOf = (path: string) =>
      [...read(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w\s-]/g, '')
          .replaceAll(' ', '-'),
      )
    const wrong = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
      if (/^https?:/.test(target)) return []
      const [path = '', anchor] = target.split('#')
      const file = path === '' ? document : join(dirname(document), path)
      if (!existsSync(join(ROOT, file))) return [target]
      return anchor === undefined || anchorsOf(file).includes(anchor) ? [] : [target]
    })
    expect(wrong).toEqual([])
  })
})

/**
 * solc's model checker on the accounting: vault = owed + unconsumed + balances in every state that
 * any sequence of calls can reach. z3 is part of solc's WebAssembly build.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'

type Solc = { readonly compile: (input: string) => string }
type Message = { readonly errorCode?: string; readonly message: string }

const MODEL = readFileSync(join(import.meta.dirname, 'Accounting.sol'), 'utf8')
/** Codes of solc: a proof, a counterexample, "might happen" (not decided). */
const [SAFE, VIOLATED] = ['9576', '6328']

function check(source: string): readonly Message[] {
  const solc = createRequire(import.meta.url)('solc') as Solc
  const modelChecker = {
    engine: 'chc',
    targets: ['assert'],
    solvers: ['z3'],
    showUnproved: true,
    showProvedSafe: true,
  }
  const input = { language: 'Solidity', sources: { model: { content: source } } }
  const output = JSON.parse(solc.compile(JSON.stringify({ ...input, settings: { modelChecker } })))
  return (output as { errors?: readonly Message[] }).errors ?? []
}

it('vault = owed + unconsumed + balances is proven', () => {
  const messages = check(MODEL)
  expect(messages.map(({ message }) => message)).toEqual([
    'CHC: Assertion violation check is safe!',
  ])
  expect(messages[0]?.errorCode).toBe(SAFE)
})

it('a deposit that is counted twice is found', () => {
  const was = '        unconsumed += amount;'
  expect(MODEL).toContain(was)
  const [message] = check(MODEL.replace(was, '        unconsumed += 2 * amount;'))
  expect(message?.errorCode).toBe(VIOLATED)
  expect(message?.message).toContain('Assertion violation happens here')
})

const TOTALS = /^(vault|owed|unconsumed) ([-+]?=) (.+);$/
/** Assignments to totals, with the names of the model and without casts. */
function assignments(source: string): string[] {
  return source.split('\n').flatMap((line) => {
    const plain = line
      .trim()
      .replace(/\/\/.*$/, '')
      .trim()
      .replace(/^(?:token|_tokens\[[^\]]+\])\./, '')
      .replaceAll(/uint(?:64|256)\((\w+(?:\.\w+)?)\)/g, '$1')
      .replaceAll(/\b(?:open|paid)\.amount\b/g, 'amount')
    return TOTALS.test(plain) ? [plain] : []
  })
}

it('the model has every assignment to a total that the contract has, and no other', () => {
  const folder = join(PROJECT_ROOT, 'contracts')
  const sources = readdirSync(folder).filter((file) => file.endsWith('.sol'))
  const contract = sources.flatMap((file) => assignments(readFileSync(join(folder, file), 'utf8')))
  expect(contract.length).toBeGreaterThan(0)
  expect(contract.sort()).toEqual(assignments(MODEL).sort())
  // What is free to be owed is computed alike.
  const free = 'return uint256(token.vault) - token.owed - token.unconsumed;'
  expect(readFileSync(join(folder, 'Store.sol'), 'utf8')).toContain(free)
  expect(MODEL).toContain('uint256 free = vault - owed - unconsumed;')
})

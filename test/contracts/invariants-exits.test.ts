/**
 * Random lives of a house to its end: deposit, batch, withdraw, force, refund, claim, freeze, escape in
 * every order, against a model of the money. After each call every total of L1 is the model's, and
 * nobody has been paid more than is his. CLOISTER_SEED and CLOISTER_LIVES change the histories.
 */
import { expect, test } from 'vitest'
import { Life } from './life.ts'
import * as end from './life-escape.ts'
import * as days from './life-steps.ts'

const SEED = Number(process.env.CLOISTER_SEED ?? 20_200_312)
const LIVES = Number(process.env.CLOISTER_LIVES ?? 6)
const CALLS_BEFORE = 90
const CALLS_AFTER = 70

const STEPS = { ...days, ...end }
type Step = keyof typeof STEPS
type Weights = readonly (readonly [Step, number])[]

const BEFORE: Weights = [
  ['deposit', 8],
  ['batch', 8],
  ['claim', 6],
  ['force', 6],
  ['requestRefund', 2],
  ['refund', 3],
  ['donate', 1],
  ['wait', 3],
  ['escapeClaim', 1],
  ['valuePot', 1],
  ['escapePay', 1],
]
const AFTER: Weights = [
  ['escapeClaim', 8],
  ['escapePay', 12],
  ['refund', 5],
  ['claim', 6],
  ['endWindow', 3],
  ['valuePot', 2],
  ['batch', 1],
  ['deposit', 1],
  ['force', 1],
  ['freeze', 1],
  ['donate', 1],
  ['wait', 1],
]

test(`seed ${SEED}, ${LIVES} lives: nothing is paid twice, and nothing more than is there`, async () => {
  const seen: Record<string, [number, number]> = {}
  for (let n = 0; n < LIVES; n++) {
    const life = await Life.begin(SEED + n)
    const run = async (name: Step, where: string) => {
      const accepted = await STEPS[name](life)
      ;(seen[name] ??= [0, 0])[accepted ? 0 : 1]++
      await life.check(`seed ${SEED + n}, ${where}, ${name}`)
    }
    const weigh = (list: Weights): Step[] =>
      list.flatMap(([name, weight]) => Array<Step>(weight).fill(name))
    const before = weigh(BEFORE)
    const after = weigh(AFTER)
    for (let i = 0; i < CALLS_BEFORE; i++) await run(life.pick(before)!, `call ${i}`)
    while (!life.isFrozen) await run('freeze', 'freezing')
    for (let i = 0; i < CALLS_AFTER; i++) await run(life.pick(after)!, `after ${i}`)
  }
  for (const name of [
    'deposit',
    'batch',
    'claim',
    'force',
    'refund',
    'freeze',
    'escapeClaim',
    'escapePay',
    'valuePot',
  ]) {
    expect(Math.min(...(seen[name] ?? [0, 0])), `${name} ${seen[name]}`).toBeGreaterThan(0)
  }
})

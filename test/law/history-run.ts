/** One half of the random histories; two test files run one each, so that two workers share the time. */
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { circuitNamed } from './circuit.ts'
import { History } from './history.ts'

/** The same history in every run, so that none fails by chance; the long run draws another. */
const SEED =
  process.env.CLOISTER_SEED ??
  (process.env.CLOISTER_LONG === '1' ? randomBytes(6).toString('hex') : '20200312')
const BATCHES = process.env.CLOISTER_LONG === '1' ? 260 : 32

/** CLOISTER_SEED chooses a history, CLOISTER_LONG=1 makes both halves together 520 batches. */
export function runHalf(half: number): void {
  test(`half ${half}: ${BATCHES} batches of random steps, seed ${SEED}`, async () => {
    const history = new History(`${SEED}/${half}`, await circuitNamed('mini'))
    const started = Date.now()
    while (history.tally.batches < BATCHES) history.step()
    const { batches, wrong, forged, steps, rules } = history.tally
    console.log(
      `CLOISTER_SEED=${SEED} half ${half}: ${batches} batches, ${wrong} wrong steps refused by TypeScript, ` +
        `${forged} of them by the circuit too, ${((Date.now() - started) / 1000).toFixed(0)} s\n` +
        `${JSON.stringify(Object.fromEntries(steps))}\n${JSON.stringify(Object.fromEntries(rules))}`,
    )
    expect(batches).toBe(BATCHES)
    expect(wrong).toBeGreaterThan(BATCHES / 2)
  })
}

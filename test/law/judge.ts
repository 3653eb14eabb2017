/** What the circuit of the mini shape says to drafts: attacks must be refused by their rule, fair ones accepted. */
import { beforeAll, expect, test } from 'vitest'
import type { Attack, Fair } from './attacks/attack.ts'
import { circuitNamed, type Circuit } from './circuit.ts'
import { inputOf, type Draft } from './reseal.ts'

const TIMEOUT = 20_000
let circuit: Circuit

/** To be called at the top of a test file. */
export function useMini(): void {
  beforeAll(async () => {
    circuit = await circuitNamed('mini')
  })
}

/** The rules that share the constraint that failed, or "accepted". */
export function refusedAs(draft: Draft): readonly string[] {
  return circuit.failedRule(inputOf(draft))?.split('/') ?? ['accepted']
}

export function refuseEach(attacks: readonly Attack[]): void {
  test.each(attacks)(
    '%s: %s',
    (rule, _name, make) => {
      expect(refusedAs(make())).toContain(rule)
    },
    TIMEOUT,
  )
}

export function acceptEach(fair: Fair): void {
  test.each(Object.entries(fair))(
    '%s',
    (_name, make) => {
      expect(refusedAs(make())).toEqual(['accepted'])
    },
    TIMEOUT,
  )
}

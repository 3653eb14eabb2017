/** Attacks on flags: for each, the rule whose constraint refuses the witness. */
import { describe, expect, test } from 'vitest'
import { flags, steps, unslotted } from './attacks/flags.ts'
import { flagPlan, stand } from './flag-scenes.ts'
import { refuseEach, useMini } from './judge.ts'

useMini()

describe('attacks on flags', () => {
  refuseEach(flags)

  const named = [...steps, ...unslotted].map(([rule, name, ...rest]) => [rule, name, rest] as const)
  test.each(named)('TypeScript, %s: %s', (rule, _name, [scene, step, parts]) => {
    const made = scene()
    const outcome = made.house.execute(flagPlan(made, step, parts))
    expect(outcome.ok || outcome.rejection.rule).toBe(rule)
  })

  test('TypeScript refuses a step beside a forced exit and of nobody', () => {
    const scene = stand()
    const { house, a } = scene
    const { member, request } = house.join()
    const plans = [
      house.plan({ requests: [house.exit(a, 77)], flags: new Map([[a.index, 'call']]) }),
      house.plan({ requests: [request], flags: new Map([[member.index, 'release']]) }),
    ]
    const rules = plans.map((plan) => {
      const outcome = house.execute(plan)
      return outcome.ok || outcome.rejection.rule
    })
    expect(rules).toEqual(['MetaMustChangeByRule', 'MetaMustChangeByRule'])
  })
})

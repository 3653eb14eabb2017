/** Attacks on flags: steps that are not due, and slots that prove another step than they make. */
import type { Account } from '../../../circuits/account.ts'
import { mod } from '../../../circuits/field.ts'
import { CALL_FROM, RELEASE_FROM, type FlagStep } from '../../../circuits/flag.ts'
import { CASH_ID, STATUS } from '../../../circuits/params.ts'
import type { RuleName } from '../../../circuits/rules.ts'
import {
  cured,
  DUE,
  flagDraft,
  holding,
  metaAt,
  REDUCE_ONLY,
  stand,
  UNCONFIRMED,
  type Parts,
  type Status,
} from '../flag-scenes.ts'
import { forgedDraft } from '../forge.ts'
import { resum, type Draft } from '../reseal.ts'
import { MINI, slotOf, type Scene } from '../scenes.ts'
import { against, changed, set, type Attack } from './attack.ts'

/** Refused by TypeScript as well, under the same name. */
export type Wrong = readonly [
  rule: RuleName,
  name: string,
  scene: () => Scene,
  step: FlagStep,
  parts?: Parts,
]

const wrong = (
  rule: RuleName,
  cases: Readonly<Record<string, readonly [scene: () => Scene, step: FlagStep, parts?: Parts]>>,
): readonly Wrong[] => Object.entries(cases).map(([name, parts]) => [rule, name, ...parts])

export const steps: readonly Wrong[] = [
  ...wrong('CallMustBeProven', {
    'called while maintenance just holds': [holding, 'call'],
    'called at a table that is not confirmed': [stand, 'call', UNCONFIRMED],
    'called again, to start its clock anew': [() => stand({ status: 'called' }), 'call'],
    'called back from liquidation': [() => stand({ status: 'liquidating' }), 'call'],
    'a closed account called': [() => stand({ status: 'closed' }), 'call'],
    'liquidated a second early': [() => stand({ status: 'called', age: DUE - 1n }), 'liquidate'],
    'liquidated while maintenance holds': [
      () => holding({ status: 'called', age: DUE }),
      'liquidate',
    ],
    'liquidated while all may only reduce': [
      () => stand({ status: 'called', age: DUE }),
      'liquidate',
      REDUCE_ONLY,
    ],
    'liquidated at a table that is not confirmed': [
      () => stand({ status: 'called', age: DUE }),
      'liquidate',
      UNCONFIRMED,
    ],
    'liquidated again, to start its clock anew': [
      () => stand({ status: 'liquidating', age: DUE }),
      'liquidate',
    ],
    'liquidated after a call with a step that no rule sets': [
      () => stand({ status: 'called', age: DUE, step: 1n }),
      'liquidate',
    ],
  }),
  ...wrong('ReleaseMustBeProven', {
    'released between maintenance and cure': [() => holding({ status: 'called' }), 'release'],
    'released while maintenance is broken': [() => stand({ status: 'liquidating' }), 'release'],
    'released while all may only reduce': [
      () => cured({ status: 'called' }),
      'release',
      REDUCE_ONLY,
    ],
    'released while active, to start its clock anew': [cured, 'release'],
    'a closed account released': [() => cured({ status: 'closed' }), 'release'],
    'released from leaving with a derivative': [() => cured({ status: 'exiting' }), 'release'],
    'released from leaving with debts': [
      () => stand({ status: 'exiting', cash: -1n, balances: [] }),
      'release',
    ],
  }),
]

/** In the circuit no slot makes these changes. */
export const unslotted: readonly Wrong[] = [
  ...wrong('CallMustBeProven', {
    'called while solvent': [cured, 'call'],
    'liquidated without a call': [() => stand({ age: DUE }), 'liquidate'],
    'liquidated while exiting': [() => stand({ status: 'exiting', age: DUE }), 'liquidate'],
  }),
]

/** The step of the first slot as if the account had this status. */
const asFrom = (scene: Scene, step: FlagStep, from: Status): Draft =>
  changed(flagDraft(scene, step), (d) => {
    const names = step === 'release' ? RELEASE_FROM : CALL_FROM
    const slots = step === 'release' ? d.releaseStep : d.callStep
    slots[0] = names.map((status) => (status === STATUS[from] ? 1n : 0n))
  })

const calledDraft = (change: (d: Draft) => void, scene = stand()): Draft =>
  changed(flagDraft(scene, 'call'), change)

const releasedDraft = (change: (d: Draft) => void, scene = cured({ status: 'called' })): Draft =>
  changed(flagDraft(scene, 'release'), change)

/** A solvent account called in world 3 by a rescue slot that holds it for nothing: its worth there is zero. */
const rescuedDraft = (change: (d: Draft) => void): Draft =>
  resum(
    changed(flagDraft(cured(), 'call'), (d) => {
      const slot = slotOf(d, 16)
      set(d.rescueChoice[0], slot, 1n)
      d.callStep[0] = [1n, 0n, 0n]
      set(d.callWorld[0], 2, 1n)
      d.oldWorth[0] = [...(d.difference[slot] as bigint[])]
      change(d)
    }),
  )

export const flags: readonly Attack[] = [
  ...steps.map(([rule, name, scene, step, parts]): Attack => [
    rule,
    name,
    () => flagDraft(scene(), step, parts),
  ]),
  ...unslotted.map(([, name, scene, step]): Attack => [
    'MetaMustChangeByRule',
    name,
    () => flagDraft(scene(), step),
  ]),
  ...against('CallMustBeProven', {
    'called while solvent, in a rescue that it does not need': () => rescuedDraft(() => {}),
    'liquidated as if it had been called': () => asFrom(stand({ age: DUE }), 'liquidate', 'called'),
    'called again as if it were active': () =>
      asFrom(stand({ status: 'called' }), 'call', 'active'),
    'called again as if it were exiting': () =>
      asFrom(stand({ status: 'called' }), 'call', 'exiting'),
    'in the name of a world that holds': () =>
      calledDraft((d) => {
        d.callWorld[0] = d.callWorld[0]?.map((_, s) => (s === 3 ? 1n : 0n)) as bigint[]
      }),
    'in the name of two worlds': () =>
      calledDraft((d) => set(d.callWorld[0], 3, 1n), stand({ cash: -9n })),
    'in the name of no world': () => calledDraft((d) => d.callWorld[0]?.fill(0n)),
    'a world of 2 and one of -1': () =>
      calledDraft((d) => {
        set(d.callWorld[0], 2, 2n)
        set(d.callWorld[0], 3, -1n)
      }),
    'two steps': () => calledDraft((d) => set(d.callStep[0], 1, 1n)),
    'steps of 2 and -1': () =>
      calledDraft((d) => {
        d.callStep[0] = [2n, mod(-1n), 0n]
      }),
    'of nobody': () =>
      calledDraft((d) => {
        d.callStep[1] = [1n, 0n, 0n]
        d.callWorld[1] = [...(d.callWorld[0] as bigint[])]
      }),
    'a world named without a step': () => calledDraft((d) => set(d.callWorld[1], 0, 1n)),
  }),
  ...against('WorthMustFollowTable', {
    'with an old worth that is invented': () =>
      rescuedDraft((d) => {
        set(d.isWorse[0], 3, 1n)
        set(d.oldWorth[0], 3, -1000n)
      }),
  }),
  ...against('MetaMustChangeByRule', {
    'a change that no slot makes': () =>
      releasedDraft((d) => {
        d.releaseChoice[0]?.fill(0n)
        d.releaseStep[0]?.fill(0n)
      }),
    'a call from an hour ago': () =>
      changed(
        flagDraft(stand(), 'call', {}, { after: (x) => ({ ...x, meta: x.meta - 8n * 3600n }) }),
        (d) =>
          set(d.flagChange, slotOf(d, 16), (d.flagChange[slotOf(d, 16)] as bigint) - 8n * 3600n),
      ),
  }),
  ...against('CipherMustMatchLeaf', {
    'a status that does not follow its step': () =>
      flagDraft(stand(), 'call', {}, { after: (x) => ({ ...x, meta: x.meta + 1n }) }),
  }),
  ...against('MetaMustChangeByRule', {
    'beside a forced exit': () => {
      const s = stand()
      return flagDraft(s, 'call', { plan: { requests: [s.house.exit(s.a, 77)] } })
    },
    'a release beside a forced exit': () => {
      const s = cured({ status: 'called' })
      return flagDraft(s, 'release', { plan: { requests: [s.house.exit(s.a, 77)] } })
    },
    'beside a registration': () => {
      const { house } = cured()
      const { member, request } = house.join()
      const plan = house.plan({ requests: [request], flags: new Map([[member.index, 'release']]) })
      return changed(forgedDraft(MINI, house, plan), (d) => {
        const slot = slotOf(d, member.index)
        set(d.oldMeta, slot, BigInt(STATUS.called))
        d.releaseStep[0] = [1n, 0n, 0n]
        set(d.flagChange, slot, metaAt(house, 'active') - BigInt(STATUS.called))
      })
    },
    'released twice': () =>
      releasedDraft((d) => {
        d.releaseChoice[1] = [...(d.releaseChoice[0] as bigint[])]
        d.releaseStep[1] = [...(d.releaseStep[0] as bigint[])]
      }),
  }),
  ...against('ReleaseMustBeProven', {
    'two accounts in one slot': () => releasedDraft((d) => set(d.releaseChoice[0], 1, 1n)),
    'a choice of 2': () => releasedDraft((d) => set(d.releaseChoice[0], slotOf(d, 16), 2n)),
    'no step': () => releasedDraft((d) => d.releaseStep[0]?.fill(0n)),
    'steps of 2 and -1': () =>
      releasedDraft((d) => {
        d.releaseStep[0] = [2n, mod(-1n), 0n]
      }),
    'a step of nobody': () =>
      releasedDraft((d) => {
        d.releaseStep[1] = [1n, 0n, 0n]
      }),
    'left with a derivative, as if called': () =>
      asFrom(cured({ status: 'exiting' }), 'release', 'called'),
    'released and liquidated in one batch': () =>
      changed(flagDraft(stand({ status: 'called', age: DUE }), 'release'), (d) => {
        d.callStep[0] = [0n, 0n, 1n]
        set(d.callWorld[0], 2, 1n)
      }),
  }),
  ...against('RequestMustBeServed', {
    'said to be paid and was not': () => {
      const s = cured({ status: 'called' })
      const plan = s.house.plan({ requests: [s.house.exit(s.a, 77)] })
      return changed(
        forgedDraft(MINI, s.house, plan, {
          after: (x) => ({ ...x, meta: metaAt(s.house, 'exiting') }),
        }),
        (d) => set(d.isPaid, slotOf(d, 16), 1n),
      )
    },
    'paid and kept flagged': () => {
      const s = cured({ status: 'called', cash: 4n })
      const { meta } = s.house.accounts.get(s.a.index) as Account
      const plan = s.house.plan({ requests: [s.house.exit(s.a, CASH_ID)] })
      return changed(forgedDraft(MINI, s.house, plan, { after: (x) => ({ ...x, meta }) }), (d) =>
        set(d.isPaid, slotOf(d, 16), 0n),
      )
    },
  }),
  ...against('CipherMustMatchLeaf', {
    'paid and called in the leaf': () => {
      const s = cured({ status: 'called', cash: 4n })
      const { meta } = s.house.accounts.get(s.a.index) as Account
      return forgedDraft(MINI, s.house, s.house.plan({ requests: [s.house.exit(s.a, CASH_ID)] }), {
        after: (x) => ({ ...x, meta }),
      })
    },
  }),
]

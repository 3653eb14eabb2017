/** Attacks on forced exits: on the amount that is paid, and on the request that must be served. */
import { eighthOf, signingKey } from '../../../circuits/eddsa.ts'
import { CAPS, type Cap, type ForcedPayment } from '../../../circuits/exit.ts'
import { mod } from '../../../circuits/field.ts'
import { CASH_ID } from '../../../circuits/params.ts'
import {
  exitDraft,
  indebted,
  plain,
  planOf,
  pledged,
  short,
  tokens,
  underwater,
  type Exit,
} from '../exit-scenes.ts'
import { forgedDraft, type Forgery } from '../forge.ts'
import type { Draft } from '../reseal.ts'
import {
  coverDraft,
  funded,
  MINI,
  ONE_FUTURE,
  paddingOf,
  settle,
  slotOf,
  traded,
} from '../scenes.ts'
import { against, changed, set, type Attack } from './attack.ts'

const paying = (over: Partial<ForcedPayment>): Forgery => ({
  payment: (fair) => ({ ...fair, ...over }),
})

const oneMore = (exit: Exit): Draft =>
  exitDraft(exit, { payment: (p) => ({ ...p, amount: p.amount + 1n }) })

const oneLess = (exit: Exit, over: Partial<ForcedPayment> = {}): Draft =>
  exitDraft(exit, { payment: (p) => ({ ...p, amount: p.amount - 1n, ...over }) })

const capped = (draft: Draft, cap: Cap): Draft =>
  changed(draft, (d) => {
    d.forcedCap[0] = CAPS.map((c) => (c === cap ? 1n : 0n))
  })

const slot = (draft: Draft, { who }: Exit): number => slotOf(draft, who.index)

export const payments: readonly Attack[] = [
  ...against('ForcedExitMustBeExact', {
    'one lot more than the balance': () => oneMore(tokens()),
  }),
  ...against('TokenMustNotBeNegative', {
    'one lot more than the balance, as the vault has it': () =>
      exitDraft(tokens(1001n), paying({ amount: 1001n, cap: 'vault' })),
  }),
  ...against('AccountMustBeSolvent', {
    'one lot more than all cash': () => oneMore(plain()),
  }),
  ...against('ForcedExitMustBeExact', {
    'more cash than is held, against what positions are worth': () =>
      exitDraft({ ...indebted(), freeVault: 1n }, paying({ amount: 1n, cap: 'vault' })),
    'one lot less than the balance': () => oneLess(tokens()),
    'one unit of cash less than the balance': () => oneLess(plain()),
    'one lot more than the vault': () => oneMore(tokens(7n)),
    'one lot less than the vault': () => oneLess(tokens(7n)),
  }),
  ...against('AccountMustBeSolvent', {
    'one unit of cash more than a world allows': () => oneMore(short()),
  }),
  ...against('ForcedExitMustBeExact', {
    'one unit of cash less than a world allows': () => oneLess(short()),
  }),
  ...against('AccountMustBeSolvent', {
    'one lot more than a world allows': () => oneMore(pledged()),
  }),
  ...against('ForcedExitMustBeExact', {
    'one lot less than a world allows': () => oneLess(pledged()),
    'another world named': () => changed(exitDraft(short()), (d) => d.forcedWorld[0]?.reverse()),
    'no world named': () => changed(exitDraft(short()), (d) => d.forcedWorld[0]?.fill(0n)),
    'two worlds and minus one': () =>
      changed(exitDraft(short()), (d) => {
        const world = d.forcedWorld[0]?.indexOf(1n) as number
        set(d.forcedWorld[0], world, 2n)
        set(d.forcedWorld[0], (world + 1) % 16, -1n)
      }),
    'a lot of another row': () =>
      changed(exitDraft(pledged()), (d) => d.forcedRow[0]?.splice(0, 2, 0n, 1n)),
    'no row': () => changed(exitDraft(pledged()), (d) => d.forcedRow[0]?.fill(0n)),
    'the balance named for what a world keeps': () => capped(exitDraft(short()), 'balance'),
    'the vault named for what a world keeps': () => capped(exitDraft(short()), 'vault'),
    'a loss named for what a world keeps': () => capped(exitDraft(short()), 'loss'),
    'nothing paid, the balance named': () =>
      exitDraft(plain(), paying({ amount: 0n, cap: 'balance' })),
    'nothing paid, the vault named': () => exitDraft(plain(), paying({ amount: 0n, cap: 'vault' })),
    'nothing paid, a world named': () =>
      exitDraft(plain(), paying({ amount: 0n, cap: 'world', world: 3 })),
    'nothing paid, a loss named': () =>
      exitDraft(plain(), paying({ amount: 0n, cap: 'loss', world: 3 })),
    'nothing paid for a loss that is none, in a rescue slot': () => {
      const exit = plain()
      const draft = exitDraft(exit, paying({ amount: 0n, cap: 'loss', world: 3 }))
      return changed(draft, (d) => {
        set(d.rescueChoice[0], slot(d, exit), 1n)
        d.oldWorth[0] = [...(d.difference[slot(d, exit)] as bigint[])]
      })
    },
    'nothing paid by a rescue whose difference is zero': () => {
      const exit = plain()
      const draft = exitDraft(exit, paying({ amount: 0n, cap: 'world', world: 3 }))
      return changed(draft, (d) => {
        set(d.rescueChoice[0], slot(d, exit), 1n)
        d.oldWorth[0] = [...(d.difference[slot(d, exit)] as bigint[])]
        set(d.isWorse[0], 3, 1n)
        set(d.difference[slot(d, exit)], 3, 0n)
      })
    },
    'a lot paid that makes no world worse, one being below zero': () =>
      exitDraft(underwater(), paying({ amount: 7n, cap: 'vault' })),
    'the same, one lot of an exact vault': () =>
      exitDraft({ ...underwater(), freeVault: 1n }, paying({ amount: 1n, cap: 'vault' })),
    'a world that is not the one below zero': () =>
      changed(exitDraft(underwater()), (d) => {
        d.forcedWorld[0] = d.forcedWorld[0]?.map((_, s) => (s === 0 ? 1n : 0n)) as bigint[]
      }),
    'no cap': () => changed(exitDraft(plain()), (d) => d.forcedCap[0]?.fill(0n)),
    'two caps': () =>
      changed(exitDraft(tokens(1000n)), (d) => {
        d.forcedCap[0] = [1n, 1n, 0n, 0n]
      }),
    'a cap of 2 and -1': () =>
      changed(exitDraft(tokens(1000n)), (d) => {
        d.forcedCap[0] = [2n, mod(-1n), 0n, 0n]
      }),
    'p - 100 lots': () => exitDraft(tokens(), paying({ amount: -100n, cap: 'vault' })),
    'a derivative': () => {
      const scene = traded()
      return exitDraft({ scene, who: scene.a, token: 1024 })
    },
    'no token': () => exitDraft({ ...plain(), token: 0 }, paying({ amount: 0n, cap: 'vault' })),
  }),
  ...against('BalanceMustFollowPages', {
    'an amount on L1 that the account did not pay': () =>
      changed(exitDraft(tokens(1000n)), (d) => {
        set(d.requestWord[0], 5, 999n)
        set(d.requestWord[0], 4, 999n)
        d.forcedCap[0] = [0n, 1n, 0n, 0n]
      }),
    'paid by another account': () => {
      const { house, b, c } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, CASH_ID)], cover: [c.index] }),
        { after: (x, i) => (i === b.index ? x : { ...x, cash: x.cash + 1n }) },
      )
    },
  }),
]

export const services: readonly Attack[] = [
  ...against('RequestMustBeServed', {
    skipped: () => changed(exitDraft(plain()), (d) => d.requestChoice[0]?.fill(0n)),
    'served by another account': () => {
      const { house, b, c } = funded()
      const draft = forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, 77)], cover: [c.index] }),
      )
      return changed(draft, (d) => {
        d.requestChoice[0] = d.requestChoice[0]?.map((_, i) =>
          i === slotOf(d, c.index) ? 1n : 0n,
        ) as bigint[]
      })
    },
    'without a slot': () => changed(exitDraft(plain()), (d) => d.forcedChoice[0]?.fill(0n)),
    'in two slots': () =>
      changed(exitDraft(plain()), (d) => {
        d.forcedChoice[1] = [...(d.forcedChoice[0] as bigint[])]
        d.forcedCap[1] = [...(d.forcedCap[0] as bigint[])]
      }),
    'two in one slot': () => {
      const { house, b, c } = funded()
      const draft = forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, 77), house.exit(c, 77)] }),
      )
      return changed(draft, (d) => {
        d.forcedChoice = [
          [1n, 1n],
          [0n, 0n],
        ]
      })
    },
    'a request of nothing in a slot': () =>
      changed(exitDraft(plain()), (d) => {
        d.forcedChoice[1] = [0n, 1n]
      }),
    'EXITING without a request': () =>
      changed(exitDraft(plain()), (d) => {
        d.requestWord[0] = Array<bigint>(6).fill(0n)
        d.requestSerial[0] = 0n
        for (const list of [d.requestChoice[0], d.forcedChoice[0], d.forcedCap[0]]) list?.fill(0n)
      }),
  }),
  ...against('ForcedExitMustStandAlone', {
    'twice in one batch': () => {
      const { house, b } = funded()
      const plan = house.plan({ requests: [house.exit(b, 77)] })
      return changed(forgedDraft(MINI, house, plan), (d) => {
        d.requestWord[1] = [...(d.requestWord[0] as bigint[])]
        d.requestSerial[1] = d.requestSerial[0] as bigint
        d.requestChoice[1] = [...(d.requestChoice[0] as bigint[])]
        d.forcedChoice[1] = [0n, 1n]
        d.forcedCap[1] = [...(d.forcedCap[0] as bigint[])]
        set(d.isForced, slotOf(d, b.index), 2n)
      })
    },
    'beside a trade': () => {
      const { house, b, c } = funded()
      house.trade(b, c, ONE_FUTURE)
      return forgedDraft(MINI, house, house.plan({ requests: [house.exit(b, 77)] }))
    },
    'beside a withdrawal': () => {
      const { house, b } = funded()
      house.withdraw(b, CASH_ID, 5n)
      return forgedDraft(MINI, house, house.plan({ requests: [house.exit(b, 77)] }))
    },
    'beside a deposit': () => {
      const { house, b } = funded()
      return forgedDraft(
        MINI,
        house,
        house.plan({ requests: [house.exit(b, 77)], credits: [house.credit(b, 1, 5n)] }),
      )
    },
    'beside a rotation by L1': () => {
      const { house, b } = funded()
      const key = eighthOf(signingKey(new Uint8Array(32).fill(3)))
      const rotation = {
        kind: 'rotate',
        serial: house.serial++,
        account: b.index,
        key,
        viewKeyHash: 0n,
      } as const
      const draft = forgedDraft(
        MINI,
        house,
        house.plan({ requests: [rotation, house.exit(b, 77)] }),
      )
      return changed(draft, (d) => set(d.isForced, slotOf(d, b.index), 1n))
    },
    'of an empty leaf': () =>
      changed(coverDraft(), (d) => {
        const padding = paddingOf(d)
        d.requestWord[0] = [3n, d.accountWord[padding + 1]?.[0] as bigint, 77n, 5n, 9n, 0n]
        for (const list of [d.requestChoice[0], d.isForced]) set(list, padding, 1n)
        for (const list of [d.forcedChoice[0], d.forcedCap[0]]) set(list, 0, 1n)
      }),
  }),
  ...against('CipherMustMatchLeaf', {
    'a status that stays': () =>
      exitDraft(plain(), { after: (x) => ({ ...x, meta: x.meta - 3n }) }),
    'a clock that starts earlier': () =>
      exitDraft(plain(), { after: (x) => ({ ...x, meta: x.meta - 8n }) }),
    'a clock that starts again': () => {
      const exit = plain()
      settle(exit.scene.house, planOf({ ...exit, token: 77 }))
      exit.scene.house.time += 5n
      return exitDraft({ ...exit, token: 77 }, { after: (x) => ({ ...x, meta: x.meta + 40n }) })
    },
  }),
  ...against('MetaMustChangeByRule', {
    'a meta of 2^44': () => {
      const exit = plain()
      const account = exit.scene.house.accounts.get(17)
      if (account !== undefined) exit.scene.house.accounts.set(17, { ...account, meta: 1n << 44n })
      return exitDraft(exit)
    },
  }),
]

/**
 * Settlement by what was listed: window and source of each specification; and the fallback for a window
 * that no quorum saw. End to end: five signers over HTTP, a collector, the contract.
 */
import { beforeEach, describe, expect, test } from 'vitest'
import { NoQuorum, type Peer } from '../../oracle/collector/gather.ts'
import { postTable } from '../../oracle/collector/rounds.ts'
import type { InstrumentSpec } from '../../oracle/signer/engine.ts'
import { signDigest } from '../../oracle/signer/report.ts'
import {
  FALLBACK_SECONDS,
  settlementBytes,
  type AverageDocument,
  type FallbackDocument,
  type SettlementDocument,
} from '../../oracle/signer/settlement.ts'
import { readHistory, referenceTableIn } from '../../oracle/verify/chain.ts'
import { verifySettlement } from '../../oracle/verify/settlement.ts'
import { now, provider } from '../contracts/l1.ts'
import { DATED } from '../contracts/oracle-market.ts'
import { KEYS, TIMING } from '../contracts/oracle-world.ts'
import { fiveSigners, INDEX, WINDOW } from './five.ts'
import { askSigner, CALM } from './signers.ts'

const [GOOD, HOUR, OTHER, ETHER] = [1029, 1028, 1027, 1026]
const EXPIRY = (await now()) + 20_000n
const dated = (id: number, change: object): InstrumentSpec => {
  const found = DATED.find((spec) => spec.id === id)!
  return { ...found, expiry: Number(EXPIRY), ...change } as InstrumentSpec
}
const put = { kind: 'put', underlying: 'BTC', lot: '0.01', strike: 7_000_000_000n }
/** All of one expiry: one as it should be, one with another window, one with another source, one on ETH. */
const SPECS: readonly InstrumentSpec[] = [
  ...DATED.filter(({ id }) => ![ETHER, OTHER, HOUR, GOOD].includes(id)).map((spec) =>
    'expiry' in spec ? { ...spec, expiry: Number(EXPIRY) + 40_000_000 } : spec,
  ),
  dated(ETHER, {
    ...put,
    name: 'E',
    underlying: 'ETH',
    lot: '0.1',
    strike: 200_000_000n,
    settlement: { source: INDEX, windowSeconds: WINDOW },
  }),
  dated(OTHER, { ...put, name: 'O', settlement: { source: 'my friend', windowSeconds: WINDOW } }),
  dated(HOUR, { ...put, name: 'H', settlement: { source: INDEX, windowSeconds: 3600 } }),
  dated(GOOD, { ...put, name: 'G', settlement: { source: INDEX, windowSeconds: WINDOW } }),
].sort((a, b) => a.id - b.id)
const window = [Number(EXPIRY) - WINDOW, Number(EXPIRY)] as const

const five = await fiveSigners(SPECS, ({ domain }) => ({
  tableBefore: async (time) => referenceTableIn(await readHistory(provider, domain.contract), time),
}))
const { nodes, options, look, goTo, another, settleAs, tend, proposed } = five

/** These signers see the whole window, at 6400; ETH only those of the second list. */
async function watch(seers: readonly number[], ofEther = seers): Promise<void> {
  for (const at of [EXPIRY - BigInt(WINDOW) - 10n, EXPIRY - 900n, EXPIRY - 1n]) {
    await goTo(at, { ...CALM, BTC: '6400' })
    for (const i of seers) {
      nodes[i]!.see({ BTC: '6400', ETH: ofEther.includes(i) ? CALM.ETH : 'NaN' }, five.clock())
      await nodes[i]!.signer.observe(five.clock()).catch(() => {})
    }
  }
}
const settleBy = (
  node: Peer,
  ids: readonly number[],
  proposal: string | null = null,
  over: readonly [number, number] = window,
) => {
  const body = { serial: 1n, ids, settled: [], window: over, proposal, isConfirmation: false }
  return askSigner(node, '/settlement', body)
}
const settle = (i: number, ids: readonly number[], proposal?: string) =>
  settleBy(nodes[i]!, ids, proposal)
const paying = (underlyings: AverageDocument['underlyings']): AverageDocument => ({
  ...{ version: 1, windowStart: window[0], windowEnd: window[1], underlyings },
})
const fallback = async (change: Partial<FallbackDocument> = {}): Promise<string> => {
  const table = referenceTableIn(await readHistory(provider, options.contract), window[1])!
  const { windowStart, windowEnd, underlyings } = paying([{ id: 1, name: 'BTC', price: '6067.01' }])
  const own = { windowStart, windowEnd, table: table.number, underlyings }
  return settlementBytes({ version: 2, ...own, ...change })
}
const documentIn = (proposal: string): SettlementDocument =>
  JSON.parse(Buffer.from(proposal.slice(2), 'hex').toString()) as SettlementDocument
const afterGrace = () => goTo(EXPIRY + BigInt(FALLBACK_SECONDS) + 10n)
const idsOf = async (peers?: readonly Peer[]) => {
  const report = await proposed(peers)
  const verified = await verifySettlement(provider, options.contract, report.serial)
  expect(verified.checks.filter(({ holds }) => !holds)).toEqual([])
  return report.ids.map(Number)
}
const finalise = async () => {
  await goTo((await now()) + TIMING.challengeDelay)
  expect((await tend()).did).toBe('finalised')
}

describe('what was listed decides', () => {
  test('a signer names the rule: another window, another source, both of its own terms', async () => {
    await watch([0])
    await goTo(EXPIRY + 10n)
    await settle(0, [GOOD])
    await expect(settle(0, [HOUR])).rejects.toThrow('WindowMustMatch: H is averaged over 3600 s')
    await expect(settle(0, [OTHER])).rejects.toThrow('SourceMustMatch: O settles by my friend')
    await expect(settle(0, [OTHER, GOOD])).rejects.toThrow('SourceMustMatch')
    const short = [window[0] + 900, window[1]] as const
    await expect(settleBy(nodes[0]!, [GOOD], null, short)).rejects.toThrow('WindowMustMatch')
  })
  test('a signer whose sources are no index settles nothing that names one', async () => {
    const bare = await another(0, {
      config: {
        ...nodes[0]!.config,
        underlyings: nodes[0]!.config.underlyings.map((one) => ({ ...one, index: null })),
      },
    })
    for (const at of [EXPIRY - BigInt(WINDOW) - 10n, EXPIRY - 1n]) {
      await goTo(at)
      nodes[0]!.see(CALM, five.clock())
      await bare.signer.observe(five.clock())
    }
    await goTo(EXPIRY + 10n)
    await expect(settleBy(bare, [GOOD])).rejects.toThrow('SourceMustMatch')
  })
  test('a listing with other terms spoils the settlement of nothing else', async () => {
    await watch([0, 1, 2, 3, 4])
    await goTo(EXPIRY + 10n)
    expect(await idsOf()).toEqual([ETHER, GOOD])
    await finalise()
    await expect(tend()).rejects.toThrow(NoQuorum)
  })
  test.each([1, 2])(
    '%i signers that sign any value: what three honest ones derive is posted',
    async (count) => {
      await watch([0, 1, 2, 3, 4])
      await goTo(EXPIRY + 10n)
      const prices = [
        { id: 1, name: 'BTC', price: '1' },
        { id: 2, name: 'ETH', price: '1' },
      ]
      const document = paying(prices)
      const liars = await Promise.all(
        KEYS.slice(0, count).map((key, i) =>
          five.liar(i, (path, body) => {
            if (path.startsWith('/averages')) return { signer: '', document }
            const { ids } = body as { ids: number[] }
            const lie = five.settlementAt(ids, window, document)
            return { signer: '', ...lie, signature: signDigest(key, lie.digest) }
          }),
        ),
      )
      const report = await proposed([...liars, ...nodes.slice(count)])
      // (7000 - 6400) * 0.01, and (200 - 136.59) * 0.1.
      expect(report.values).toEqual([6_341_000n, 6_000_000n])
    },
  )
})

describe('a window that no quorum saw', () => {
  test('is settled at the last confirmed table before the expiry, after the time for averages', async () => {
    await watch([3, 4])
    await goTo(EXPIRY + 10n)
    await expect(tend()).rejects.toThrow(NoQuorum)
    await goTo(EXPIRY + BigInt(FALLBACK_SECONDS) - 10n)
    await expect(tend()).rejects.toThrow(NoQuorum)
    await afterGrace()
    // One group after the other, so that what was seen of one does not stand in the way of another.
    for (const id of [ETHER, OTHER, HOUR]) {
      expect(await idsOf()).toEqual([id])
      await finalise()
    }
    const report = await proposed()
    expect(report.ids.map(Number)).toEqual([GOOD])
    // (7000 - 6067.01) * 0.01 of the table; the two that saw 6400 do not sign.
    expect(report.values).toEqual([9_329_900n])
    const verified = await verifySettlement(provider, options.contract, 4n)
    expect(verified).toMatchObject({ holds: true, state: 'pending' })
    expect(verified.notes[0]).toContain('no quorum said that it saw the window')
    await finalise()
  })
  test('of one underlying alone: the other settles at its average, and first', async () => {
    await watch([0, 1, 2, 3, 4], [0, 1])
    await goTo(EXPIRY + 10n)
    expect(await idsOf()).toEqual([GOOD])
    await finalise()
    await expect(tend()).rejects.toThrow(NoQuorum)
    await afterGrace()
    expect(await idsOf()).toContain(ETHER)
  })
  test('what nobody can average by its terms ends so, too', async () => {
    await watch([0, 1, 2, 3, 4])
    await afterGrace()
    const found: number[] = []
    for (let i = 0; i < 3; i++) {
      found.push(...(await idsOf()))
      await finalise()
    }
    expect(found).toEqual([
      ETHER,
      GOOD,
      ...[HOUR, OTHER].sort((a, b) => found.indexOf(a) - found.indexOf(b)),
    ])
    expect((await tend()).did).toBe('nothing')
  })
  test.each([1, 2])(
    'is not one that three saw: %i liars and the collector cannot choose it',
    async (count) => {
      await watch([2, 3, 4])
      await afterGrace()
      const proposal = await fallback()
      for (const i of [2, 3, 4])
        await expect(settle(i, [GOOD], proposal)).rejects.toThrow('FallbackMustBeNeeded')
      // Also not together with what has no average.
      await expect(settle(2, [HOUR, GOOD], proposal)).rejects.toThrow('FallbackMustBeNeeded')
      const said = (await settle(0, [GOOD], proposal)) as { report: object; signature: string }
      const { digest } = five.settlementAt([GOOD], window, documentIn(proposal))
      expect(signDigest(KEYS[0]!, digest)).toBe(said.signature)
      await expect(settleAs(count, [GOOD], window, documentIn(proposal))).rejects.toThrow(
        'QuorumMustSign',
      )
      // And the proper value is still to be had.
      expect(await idsOf()).toEqual([ETHER, GOOD])
    },
  )
})

test('a settlement that the register holds up for as long as it can is still one that a quorum saw', async () => {
  await watch([0, 1, 2])
  // Looking at something else all the while, as a signer does.
  for (const day of [1n, 7n, 14n, 21n, 29n]) {
    await goTo(EXPIRY + day * 86_400n)
    for (const node of nodes) await node.signer.observe(five.clock())
  }
  const proposal = await fallback()
  for (const i of [0, 1, 2])
    await expect(settle(i, [GOOD], proposal)).rejects.toThrow('FallbackMustBeNeeded')
  expect(await idsOf()).toEqual([ETHER, GOOD])
})

describe('a fallback is signed', () => {
  beforeEach(async () => {
    await goTo(EXPIRY + 10n)
  })
  test('when it is due, not a second before', async () => {
    const proposal = await fallback()
    await goTo(EXPIRY + BigInt(FALLBACK_SECONDS) - 1n)
    await look(CALM, Number(EXPIRY) + FALLBACK_SECONDS - 1)
    await expect(settle(0, [GOOD], proposal)).rejects.toThrow('FallbackMustWait')
    await look(CALM, Number(EXPIRY) + FALLBACK_SECONDS)
    await settle(0, [GOOD], proposal)
  })
  test('at that table alone, not at a price or table that somebody prefers', async () => {
    const price = (text: string) => ({ underlyings: [{ id: 1, name: 'BTC', price: text }] })
    await afterGrace()
    for (const change of [
      price('6067.02'),
      price('7000'),
      { table: 2 },
      { table: 0 },
      { windowStart: window[0] - 1 },
      { underlyings: [{ id: 1, name: 'ETH', price: '6067.01' }] },
      { underlyings: [{ id: 9, name: 'BTC', price: '6067.01' }] },
    ])
      await expect(
        settle(0, [GOOD], await fallback(change)),
        JSON.stringify(change),
      ).rejects.toThrow('FallbackMustMatchTable')
  })
  test('at a table from before the expiry: what is confirmed after it changes nothing', async () => {
    await goTo(EXPIRY + 60n, { ...CALM, BTC: '6100' })
    await postTable(options)
    await afterGrace()
    const table = referenceTableIn(await readHistory(provider, options.contract), window[1])!
    expect(table.number).toBe(1)
    await settle(0, [GOOD], await fallback())
  })
  test('by nobody without a view of L1', async () => {
    const blind = await another(0)
    await afterGrace()
    await expect(settleBy(blind, [GOOD], await fallback())).rejects.toThrow('FallbackMustHaveTable')
  })
  test('and verify finds one that a quorum of liars signed: too early, or at another price', async () => {
    const sign = async (change: Partial<FallbackDocument>) => {
      await settleAs(3, [GOOD], window, documentIn(await fallback(change)))
      const { checks } = await verifySettlement(provider, options.contract, 1n)
      return checks.filter(({ holds }) => !holds).map(({ what }) => what)
    }
    expect(await sign({ underlyings: [{ id: 1, name: 'BTC', price: '5000' }] })).toEqual([
      'price of underlying 1',
      '86400 s before the fallback',
    ])
  })
})

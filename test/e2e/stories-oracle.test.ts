/** What the oracle leaves behind when everything ends: instruments not converted yet, or a lie. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { back, keep, type Kept } from './story-keep.ts'
import { COLD, DAY, Story, type Person } from './story.ts'
import { row } from '../law/house.ts'

const ANN_PAID = 5_000_000_000n
const BEN_PAID = 3_000_000_000n
const CID_PAID = 700_000_000n
const [FUTURE, OPTION, SWAP] = [1024, 1025, 1026]
const LOTS = 10n
const FUTURE_PRICE = 50_000_000n
const OPTION_PRICE = 2_000_000n
const SWAP_PRICE = -500_000n
const FEE = 100n
const FEES = 6n * FEE

let story: Story
let ann: Person
let ben: Person
let cid: Person
let fresh: Kept

const cashOf = (person: Person): bigint => story.house.accounts.get(person.member.index)?.cash ?? 0n
const claimed = async (person: Person) => {
  const { code, json } = await story.cli(person, 'exit', 'escape')
  return [code, json['equity'], json['shape']]
}

beforeAll(async () => {
  story = await Story.open(['escape', 'escape-settled', 'sweep-mini'])
  ann = await story.join('ANN')
  ben = await story.join('BEN')
  await story.batch({
    credits: [await story.deposit(ann, ANN_PAID), await story.deposit(ben, BEN_PAID)],
  })
  cid = await story.join('CID')
  const credit = await story.deposit(cid, CID_PAID)
  story.house.time = await story.now()
  const legs = [
    [FUTURE, FUTURE_PRICE],
    [OPTION, OPTION_PRICE],
    [SWAP, SWAP_PRICE],
  ] as const
  for (const [instrument, price] of legs.slice(0, 2))
    story.house.trade(ann.member, ben.member, [{ instrument, quantity: LOTS, price }])
  await story.batch({ credits: [credit] })
  story.house.time = await story.now()
  const [instrument, price] = legs[2]
  story.house.trade(ann.member, ben.member, [{ instrument, quantity: LOTS, price }])
  await story.batch()
  fresh = await keep(story)
}, COLD)
afterAll(() => story?.stop())

describe('instruments that expired and were not converted when the house ended', () => {
  const FUTURE_VALUE = 53_000_000n
  const OPTION_VALUE = 1_250_000n
  const SWAP_MARK = -700_000n

  it(
    'are claimed at their final values, those without one at the last mark',
    async () => {
      // Two are final on L1; the third has expired, and only its mark is known.
      await story.settleValues(
        new Map([
          [FUTURE, FUTURE_VALUE],
          [OPTION, OPTION_VALUE],
        ]),
        [row(2, 1_000_000n), { ...row(SWAP, SWAP_MARK), status: 'expired' }],
      )
      // What becomes final after the last table does not count: everybody claims at one table.
      await story.wait(7n * DAY + 1n)
      expect((await story.cli(cid, 'exit', 'status')).json['missingClaimShapes']).toEqual([])
      expect((await story.cli(cid, 'exit', 'freeze')).code).toBe(0)
      const worth = LOTS * (FUTURE_VALUE + OPTION_VALUE + SWAP_MARK)
      expect(await claimed(ann)).toEqual([0, `${cashOf(ann) + worth}`, 'escape-settled'])
      expect(await claimed(ben)).toEqual([0, `${cashOf(ben) - worth}`, 'escape-settled'])
      expect(await claimed(cid)).toEqual([0, `${CID_PAID}`, 'escape'])
    },
    COLD,
  )

  it('pay everybody all of it, to the last unit', async () => {
    await story.wait(14n * DAY + 1n)
    // All at once: each sees a pot that nobody has valued, and only one can value it.
    const answers = await Promise.all(
      [cid, ben, ann].map((person) => story.cli(person, 'exit', 'claim')),
    )
    expect(answers.map(({ code, json }) => [code, json['refused']])).toEqual([
      [0, []],
      [0, []],
      [0, []],
    ])
    const worth = LOTS * (FUTURE_VALUE + OPTION_VALUE + SWAP_MARK)
    expect(await story.holds(ann.wallet.address)).toBe(cashOf(ann) + worth)
    expect(await story.holds(ben.wallet.address)).toBe(cashOf(ben) - worth)
    expect(await story.holds(cid.wallet.address)).toBe(CID_PAID)
    expect(await story.ask('vault', 1)).toBe(FEES)
    await story.mustAddUp()
  })
})

describe('an oracle that lies with its last table', () => {
  const FALSE_MARK = 900_000_000n

  it(
    'moves money between members, but nobody is paid more than the pot, and all by one rate',
    async () => {
      await back(story, fresh)
      const before = await Promise.all([ann, ben, cid].map((p) => story.holds(p.wallet.address)))
      // Signed by whoever may; consistent in itself, so that no proof and no reader can object.
      await story.post([
        row(2, 1_000_000n),
        row(FUTURE, FALSE_MARK),
        row(OPTION, OPTION_PRICE),
        row(SWAP, SWAP_PRICE),
      ])
      await story.wait(7n * DAY + 1n)
      await story.cli(cid, 'exit', 'freeze')
      const gained = LOTS * (FALSE_MARK - FUTURE_PRICE)
      const rich = ANN_PAID + gained - 3n * FEE
      expect(gained).toBeGreaterThan(BEN_PAID)
      expect(await claimed(ann)).toEqual([0, `${rich}`, 'escape'])
      expect((await story.cli(ben, 'exit', 'escape')).json).toMatchObject({
        equity: '0',
        sent: false,
      })
      expect(await claimed(cid)).toEqual([0, `${CID_PAID}`, 'escape'])
      await story.wait(14n * DAY + 1n)
      for (const person of [ann, ben, cid]) await story.cli(person, 'exit', 'claim')
      const pot = ANN_PAID + BEN_PAID + CID_PAID
      const paid = await Promise.all(
        [ann, ben, cid].map(
          async ({ wallet }, i) => (await story.holds(wallet.address)) - (before[i] as bigint),
        ),
      )
      const all = rich + CID_PAID
      expect(paid).toEqual([(pot * rich) / all, 0n, (pot * CID_PAID) / all])
      expect(paid[0]! + paid[2]!).toBeLessThanOrEqual(pot)
      await story.mustAddUp()
    },
    COLD,
  )
})

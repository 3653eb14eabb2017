/** The operator is gone, and all that it knew: everybody leaves from L1 and a seed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COLD, DAY, HOUR, Story, type Person } from './story.ts'
import { row } from '../law/house.ts'

const ANN_PAID = 5_000_000_000n
const BEN_PAID = 3_000_000_000n
const CID_PAID = 700_000_000n
/** Asked back while the house still lives, and does not credit it. */
const CID_SMALL = 50_000_000n
const WITHDRAWN = 100_000_000n
const LOTS = 10n
const PRICE = 50_000_000n
const MARK = 52_000_000n
const FEE = 100n

let story: Story
let ann: Person
let ben: Person
let cid: Person
let small: bigint

beforeAll(async () => {
  story = await Story.open()
  ann = await story.join('ANN')
  ben = await story.join('BEN')
  const paid = [await story.deposit(ann, ANN_PAID), await story.deposit(ben, BEN_PAID)]
  await story.batch({ credits: paid })
  cid = await story.join('CID')
  await story.deposit(cid, CID_PAID)
  small = (await story.deposit(cid, CID_SMALL)).id
  story.house.time = await story.now()
  story.house.trade(ann.member, ben.member, [{ instrument: 1024, quantity: LOTS, price: PRICE }])
  story.house.withdraw(ann.member, 1, WITHDRAWN, BigInt(ann.wallet.address))
  await story.batch()
  // The mark moves after the last batch: equity is at the last confirmed table, not at that of the batch.
  await story.post([
    row(2, 1_000_000n),
    row(1024, MARK),
    row(1025, 2_000_000n),
    row(1026, -500_000n),
  ])
}, COLD)
afterAll(() => story?.stop())

describe('a dead sequencer', () => {
  it('that credits no deposit is asked for it on L1, deposit by deposit', async () => {
    // Before anything happens a member can see what would be missing in the end.
    const status = (await story.cli(cid, 'exit', 'status')).json
    expect(status['missingClaimShapes']).toEqual(['escape-settled'])
    expect((status['deposits'] as unknown[]).length).toBe(2)
    const asked = await story.cli(cid, 'exit', 'refund', `${small}`)
    expect([asked.code, asked.json['deposits'], asked.json['sent']]).toEqual([
      0,
      [`${small}`],
      true,
    ])
    const again = await story.cli(cid, 'exit', 'refund', `${small}`)
    expect([again.code, again.json['deposits'], again.json['sent']]).toEqual([0, [], false])
    for (const other of ['1', '99', 'x'])
      expect((await story.cli(cid, 'exit', 'refund', other)).code).toBe(2)
    expect((await story.cli(cid, 'exit', 'claim')).json['collected']).toEqual([])
  })

  it('is no ground before its time, and the command says how long until then', async () => {
    const { code, json } = await story.cli(ann, 'exit', 'freeze')
    expect(code).toBe(1)
    const grounds = json['grounds'] as {
      name: string
      holds: boolean
      secondsLeft: string | null
    }[]
    const noBatch = grounds.find(({ name }) => name === 'noBatch')
    const left = BigInt(noBatch?.secondsLeft ?? 0)
    expect(left > 6n * DAY && left <= 7n * DAY + 1n).toBe(true)
    expect(grounds.find(({ name }) => name === 'forcedExit')?.secondsLeft).toBeNull()
    // One second before the ground holds it does not; then it does, and anybody may say so.
    await story.wait(left - HOUR)
    expect((await story.cli(ann, 'exit', 'freeze')).code).toBe(1)
    // What was asked for is due long before, from a house that nobody has frozen.
    expect((await story.cli(cid, 'exit', 'claim')).json['collected']).toEqual([
      { what: 'refund', token: 1, lots: `${CID_SMALL}`, to: cid.wallet.address },
    ])
    const early = await story.cli(ann, 'exit', 'escape')
    expect([early.code, early.json['message']]).toEqual([2, expect.stringContaining('not frozen')])
    await story.wait(HOUR)
    const frozen = await story.cli(cid, 'exit', 'freeze')
    expect([frozen.code, frozen.json['ground']]).toEqual([0, 'noBatch'])
  })

  it(
    'keeps nobody from claiming what its leaf is worth, on a clean directory',
    async () => {
      const long = ANN_PAID - WITHDRAWN - LOTS * PRICE - 2n * FEE + LOTS * MARK
      const short = BEN_PAID + LOTS * PRICE - FEE - LOTS * MARK
      for (const [person, equity] of [
        [ann, long],
        [ben, short],
      ] as const) {
        const { code, json } = await story.cli(person, 'exit', 'escape')
        expect([code, json['equity'], json['shape']]).toEqual([0, `${equity}`, 'escape'])
      }
      // Registered, with a deposit that no batch has credited: worth nothing in the tree.
      const empty = await story.cli(cid, 'exit', 'escape')
      expect([empty.code, empty.json['equity'], empty.json['sent']]).toEqual([0, '0', false])
      const twice = await story.cli(ann, 'exit', 'escape')
      expect([twice.code, twice.json['message']]).toEqual([2, expect.stringContaining('already')])
    },
    COLD,
  )

  it("takes no claim of another seed, and no key but the owner's", async () => {
    const thief: Person = { ...ben, seed: ann.seed, name: 'ANN' }
    const { code, json } = await story.cli(thief, 'exit', 'claim')
    expect([code, json['message']]).toEqual([2, expect.stringContaining('the L1 owner is')])
    const lost = await story.cli({ ...ann, name: 'OTHER' }, 'exit', 'escape')
    expect([lost.code, lost.json['message']]).toEqual([2, expect.stringContaining('label')])
  })

  it('owes withdrawals and uncredited deposits at once, shares after the window', async () => {
    expect((await story.cli(ann, 'exit', 'claim')).json['collected']).toEqual([
      { what: 'payment', token: 1, lots: `${WITHDRAWN}`, to: ann.wallet.address },
    ])
    expect((await story.cli(cid, 'exit', 'claim')).json['collected']).toEqual([
      { what: 'refund', token: 1, lots: `${CID_PAID}`, to: cid.wallet.address },
    ])
    expect((await story.cli(ann, 'exit', 'claim')).json['collected']).toEqual([])
    expect(await story.holds(cid.wallet.address)).toBe(CID_PAID + CID_SMALL)
    await story.mustAddUp()
  })

  it('is left by everybody with all of it, to the last unit', async () => {
    await story.wait(14n * DAY)
    // Written out for a multisig, nothing is sent; the same calls are then sent.
    const written = await story.cli(ben, 'exit', 'claim', '--print')
    expect((written.json['transactions'] as unknown[]).length).toBe(2)
    for (const person of [ben, ann]) expect((await story.cli(person, 'exit', 'claim')).code).toBe(0)
    const left = ANN_PAID + BEN_PAID - 3n * FEE
    expect((await story.holds(ann.wallet.address)) + (await story.holds(ben.wallet.address))).toBe(
      left,
    )
    expect(await story.holds(ben.wallet.address)).toBe(BEN_PAID + LOTS * PRICE - FEE - LOTS * MARK)
    // What nobody can claim are the fees, which belong to the house.
    expect(await story.ask('vault', 1)).toBe(3n * FEE)
    for (const person of [ann, ben, cid])
      expect((await story.cli(person, 'exit', 'claim')).json['collected']).toEqual([])
    await story.mustAddUp()
    const { code, json } = await story.run('rebuild')
    expect([code, (json['frozen'] as { ground: number }).ground]).toEqual([0, 3])
  })
})

/** A sequencer that lies, and members that mean harm: one house, one deployment, real proofs. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leafHash, type Account } from '../../circuits/account.ts'
import { eighthOf, sign, signingKey } from '../../circuits/eddsa.ts'
import { headAfter } from '../../circuits/page.ts'
import { shapeNamed } from '../../prover/artifacts.ts'
import { chooseBatch } from '../../sequencer/builder.ts'
import type { Submission } from '../../sequencer/l1.ts'
import { Ledger } from '../../sequencer/ledger.ts'
import { row } from '../law/house.ts'
import { back, keep } from './story-keep.ts'
import { refusal, sent } from './story-l1.ts'
import { sweep, sweepAsIf, sweepItself } from './story-sweep.ts'
import { COLD, DAY, HOUR, Story, TOKEN, type Person } from './story.ts'

const ANN_PAID = 5_000_000_000n
const BEN_PAID = 3_000_000_000n
const CID_LOTS = 1_000n
const LOTS = 10n
const PRICE = 50_000_000n
const FEE = 100n
const BANNED = `0x${'ba'.repeat(20)}`

let story: Story
let ann: Person
let ben: Person
let cid: Person

beforeAll(async () => {
  story = await Story.open()
  ann = await story.join('ANN')
  ben = await story.join('BEN')
  await story.batch({
    credits: [await story.deposit(ann, ANN_PAID), await story.deposit(ben, BEN_PAID)],
  })
  cid = await story.join('CID')
  story.house.time = await story.now()
  story.house.trade(ann.member, ben.member, [{ instrument: 1024, quantity: LOTS, price: PRICE }])
  await story.batch({ credits: [await story.deposit(cid, CID_LOTS, TOKEN)] })
}, COLD)
afterAll(() => story?.stop())

const pay = (submission: Submission) => refusal(story.operator.submit(submission))
const altered = (list: readonly bigint[], at: number): readonly bigint[] =>
  list.map((word, i) => (i === at ? word + 1n : word))

/** The sequencer's own ledger, with every pending page signed on its own head. */
function ledger(): Ledger {
  const { house, deployment } = story
  const made = new Ledger(deployment.feeAccount, 777n)
  for (const [index, account] of house.accounts) {
    made.accounts.set(index, account)
    made.tree.set(index, leafHash(account))
  }
  for (const [index, key] of house.viewKeys) made.viewKeys.set(index, key)
  for (const { index, key, pending } of house.members) {
    made.ownerKeys.set(index, key.publicKey)
    let head = house.accounts.get(index)?.head ?? 0n
    for (const page of pending) {
      head = headAfter(head, page)
      made.append(index, { page, head, signature: sign(key, head), trade: `${page.payload}` })
    }
  }
  return made
}

describe('a lying sequencer', () => {
  it(
    'cannot post garbage for a ciphertext or a leaf, and a poison page does not stop a batch',
    async () => {
      const { house } = story
      house.time = await story.now()
      const [{ stamp }] = house.trade(ann.member, ben.member, [
        { instrument: 1025, quantity: 5n, price: 2_000_000n },
      ])
      // BEN and CID have signed what CID can never pay: behind BEN's honest page, in one journal with it.
      house.trade(cid.member, ben.member, [{ instrument: 1024, quantity: 900n, price: PRICE }], {
        stamp: stamp + 1n,
      })
      const { context } = house.plan()
      const domain = await story.ask<bigint>('domain')
      const { chosen, setAside } = chooseBatch(
        ledger(),
        { requests: [], credits: [] },
        shapeNamed('mini'),
        { ...context, domain },
        () => 0,
      )
      expect(setAside.map(({ rule }) => rule)).toEqual(['AccountMustBeSolvent'])
      const journals = chosen?.plan.journals
      if (journals === undefined) throw new Error('the builder found no batch beside a poison page')
      expect([...journals.values()].map(({ pages }) => pages.length)).toEqual([1, 1])
      const proven = await story.prove({ journals, requests: [] })
      cid.member.pending = []

      const { submission } = proven
      const { accountWords } = submission
      // Per account ten words: index, leaf, eight of ciphertext; the fee account stands first.
      for (const at of [10 + 2, 10 + 9, 10 + 1, 2])
        expect(await pay({ ...submission, accountWords: altered(accountWords, at) })).toContain(
          'ProofMustVerify',
        )
      expect(await pay({ ...submission, batchNonce: submission.batchNonce + 1n })).toContain(
        'ProofMustVerify',
      )
      const kept = await keep(story)
      const state = mkdtempSync(join(tmpdir(), 'cloister-story-state-'))
      await story.settle(proven)

      // A batch settles once, whoever sends it.
      expect(await pay(submission)).toContain('ProofMustVerify')

      // The chain goes back, and the operator puts another batch in its place.
      const first = await story.run('rebuild', '--state', state)
      expect([first.code, first.json['root']]).toEqual([0, `${submission.newRoot}`])
      await back(story, kept)
      house.members.forEach((member) => (member.pending = []))
      house.time = await story.now()
      house.trade(ann.member, ben.member, [{ instrument: 1025, quantity: 6n, price: 2_000_000n }])
      const other = await story.prove()
      expect(other.submission.newRoot).not.toBe(submission.newRoot)
      await story.settle(other)
      const again = await story.run('rebuild', '--state', state)
      expect([again.code, again.json['root']]).toEqual([0, `${other.submission.newRoot}`])
      const { mended } = again.json['state'] as { mended: readonly string[] }
      expect(mended.join()).toContain('is another one now')
      // The batch that the chain forgot fits nowhere any more.
      expect(await pay(submission)).toContain('ProofMustVerify')
      // The member sees what counts now, from its seed alone.
      const { json } = await story.cli(ann, 'rebuild')
      const [account] = json['accounts'] as { now: { balances: { id: number; lots: string }[] } }[]
      expect(JSON.stringify(account)).toContain('"6"')
    },
    COLD,
  )

  it(
    'proves everybody solvent when they are, in no other state, and cannot spare a friend',
    async () => {
      await story.wait(HOUR)
      const kept = await keep(story)
      // A proof of a state in which BEN has more is a proof of another root: L1 fills in its own.
      const own = story.house.accounts.get(ben.member.index)
      if (own === undefined) throw new Error('BEN has an account')
      expect(await sweepAsIf(story, ben.member.index, { ...own, cash: own.cash * 10n })).toEqual([
        'accepted',
        'accepted',
        'ProofMustVerify',
      ])
      expect((await story.ask<{ next: bigint }>('sweep')).next).toBe(16n)
      // The house goes on by itself where L1 says that the sweep stands.
      const said = await sweepItself(story)
      expect(said.slice(0, 3)).toEqual([
        expect.stringContaining('no key to pay for it'),
        expect.stringContaining('no circuit of it that is here'),
        'sweep: accounts 16 to 23 proven solvent',
      ])
      expect(await sweep(story)).toEqual({ state: 'idle', dueAt: null })

      // A day later the mark is such that BEN, who is short, lacks maintenance: its friend would spare it.
      await story.wait(DAY)
      await story.post(
        story.house.rows.map((old) => (old.id === 1024 ? row(1024, 250_000_000n) : old)),
      )
      expect((await sweep(story)).state).toBe('idle')
      await story.wait(HOUR)
      expect(await sweep(story)).toMatchObject({
        state: 'unprovable',
        accounts: [
          expect.objectContaining({
            rule: 'MaintenanceMustHold',
            account: ben.member.index,
          }),
        ],
      })
      await back(story, kept)
    },
    COLD,
  )

  it(
    'that withholds a forced exit is frozen',
    async () => {
      const kept = await keep(story)
      const price = await story.ask<{ price: bigint }>('forcedExitQueue')
      const shown = await story.cli(ann, 'exit', 'force', 'cash')
      expect([shown.code, shown.json['priceWei'], shown.json['sent']]).toEqual([
        0,
        `${price.price}`,
        false,
      ])
      // The price is burned whatever is there to pay: it says before what there is.
      const { cash, balances } = story.house.accounts.get(ann.member.index) as Account
      const lots = balances.find(({ id }) => id === TOKEN)?.quantity ?? 0n
      const other = await story.cli(ann, 'exit', 'force', `${TOKEN}`)
      expect([shown.json['held'], other.json['held']]).toEqual([`${cash}`, `${lots}`])
      const dear = await story.cli(ann, 'exit', 'force', 'cash', '--max-price', '0.0000001')
      expect([dear.code, dear.json['message']]).toEqual([2, expect.stringContaining('max-price')])
      expect((await story.cli(ann, 'exit', 'force', 'cash', '--max-price', '0.1')).code).toBe(0)
      const before = await story.provider.getBalance(ann.wallet.address)
      // What was sent beyond the price came back.
      expect(before > 100n * 10n ** 18n - 10n ** 17n).toBe(true)
      const status = await story.cli(ann, 'exit', 'status')
      expect(status.json['forcedExits']).toEqual([{ serial: '3', token: 1 }])
      await story.days(2)
      const early = await story.cli(ann, 'exit', 'freeze')
      expect(early.code).toBe(1)
      await story.days(2)
      const frozen = await story.cli(ann, 'exit', 'freeze')
      expect([frozen.code, frozen.json['ground'], frozen.json['serial']]).toEqual([
        0,
        'forcedExit',
        '3',
      ])
      await back(story, kept)
      expect(await story.ask('isFrozen')).toBe(false)
    },
    COLD,
  )
})

describe('a hostile member', () => {
  it(
    'fills the queue at its own cost, and is served beside the others',
    async () => {
      const price = async () => (await story.ask<{ price: bigint }>('forcedExitQueue')).price
      const calm = await price()
      expect(
        (await story.cli(cid, 'exit', 'force', `${TOKEN}`, '--to', BANNED, '--max-price', '0.1'))
          .code,
      ).toBe(0)
      expect((await price()) > calm).toBe(true)
      // One may wait an account, whatever its owner pays.
      expect((await story.cli(cid, 'exit', 'force', 'cash', '--max-price', '1')).json['rule']).toBe(
        'ForcedExitMustNotBePending',
      )
      expect((await story.cli(ann, 'exit', 'force', 'cash', '--max-price', '0.1')).code).toBe(0)
      await story.as(ben.wallet, 'rotate', ben.member.index, ...point())
      story.requests = [await story.queued(3n), await story.queued(4n)]
      await sent(story.picky, 'ban', BANNED, true)
      const proven = await story.prove()
      const { submission } = proven
      const [tokens = 0n, cash = 0n] = submission.forcedPayments ?? []
      // All that CID has; of ANN's cash as much as its long position leaves.
      expect(tokens).toBe(CID_LOTS)
      expect(cash > 0n && cash < ANN_PAID).toBe(true)
      // A lot more or less, or the payments exchanged, is another statement.
      for (const forcedPayments of [
        [tokens, cash - 1n],
        [tokens, cash + 1n],
        [tokens - 1n, cash],
      ])
        expect(await pay({ ...submission, forcedPayments })).toContain('ProofMustVerify')
      expect(await pay({ ...submission, requestCount: 1, forcedPayments: [tokens] })).toContain(
        'ProofMustVerify',
      )
      await story.settle(proven)
      await story.mustAddUp()
    },
    COLD,
  )

  it('that has itself paid where no token arrives harms nobody but itself', async () => {
    const [, cash = 0n] = await owedIn()
    const refused = await story.cli(cid, 'exit', 'claim')
    expect([refused.code, refused.json['collected']]).toEqual([1, []])
    expect((refused.json['refused'] as unknown[]).length).toBe(1)
    const { json } = await story.cli(ann, 'exit', 'claim')
    expect(json['collected']).toEqual([
      { what: 'payment', token: 1, lots: `${cash}`, to: ann.wallet.address },
    ])
    expect(await story.ask('owed', TOKEN)).toBe(CID_LOTS)
    await sent(story.picky, 'ban', BANNED, false)
    expect((await story.cli(cid, 'exit', 'claim')).code).toBe(0)
    expect(await story.holds(BANNED, TOKEN)).toBe(CID_LOTS)
  })

  it('leaves once: not twice by force, not by force and by page, not paid twice', async () => {
    for (const person of [ann, cid])
      expect((await story.cli(person, 'exit', 'claim')).json['collected']).toEqual([])
    const again = await story.cli(ann, 'exit', 'force', 'cash', '--max-price', '1')
    expect([again.code, again.json['rule']]).toEqual([1, 'ForcedExitMustAwaitUnwind'])
    // ANN is EXITING: the law refuses pages that take out what must stay, or that add risk.
    const { house } = story
    const refused = async (rule: string, work: () => void): Promise<void> => {
      house.time = await story.now()
      work()
      const outcome = house.execute(house.plan({ requests: story.requests }))
      expect(outcome.ok ? 'accepted' : outcome.rejection.rule).toBe(rule)
      house.members.forEach((member) => (member.pending = []))
    }
    await refused('WithdrawalMustLeaveSolvent', () => house.withdraw(ann.member, 1, 1_000_000_000n))
    await refused('ReduceOnlyMustReduce', () =>
      house.trade(ann.member, ben.member, [{ instrument: 1024, quantity: 1n, price: PRICE }]),
    )
    // Nor a page beside a forced exit, whose amount is counted from the account as it stands.
    await refused('ForcedExitMustStandAlone', () => {
      house.withdraw(ben.member, 1, 1n)
      story.requests = [house.exit(ben.member, 1)]
    })
  })

  it(
    'that rotated to a key which nobody holds still leaves, and so do all others',
    async () => {
      // BEN's rotation to nobody's key is served; from then on no page of BEN can be signed.
      story.requests = [
        { kind: 'rotate', serial: 5n, account: ben.member.index, key: nobody, viewKeyHash: 0n },
      ]
      await story.post()
      await story.batch()
      const { house } = story
      house.time = await story.now()
      house.withdraw(ben.member, 1, 1n)
      const unsigned = house.execute(house.plan())
      expect(unsigned.ok).toBe(false)
      if (!unsigned.ok) expect(unsigned.rejection.rule).toBe('SignatureMustMatch')
      ben.member.pending = []

      await story.wait(7n * DAY + 1n)
      expect((await story.cli(ben, 'exit', 'freeze')).json['ground']).toBe('noBatch')
      const worth = (index: number): bigint => {
        const account = house.accounts.get(index)
        const marks = new Map(story.table.rows.map(({ id, values }) => [id, values[0] ?? 0n]))
        return (account?.balances ?? []).reduce(
          (sum, { id, quantity }) => sum + quantity * (marks.get(id) ?? 0n),
          account?.cash ?? 0n,
        )
      }
      for (const person of [ann, ben]) {
        const { code, json } = await story.cli(person, 'exit', 'escape')
        expect([code, json['equity']]).toEqual([0, `${worth(person.member.index)}`])
      }
      await story.wait(14n * DAY + 1n)
      const before = await story.holds(ann.wallet.address)
      for (const person of [ann, ben, cid]) await story.cli(person, 'exit', 'claim')
      // In every order, all ways together: what was paid in is paid out, but for the fees of the house.
      const [forced, escaped] = [before, (await story.holds(ann.wallet.address)) - before]
      expect(escaped).toBe(worth(ann.member.index))
      expect(forced + escaped + (await story.holds(ben.wallet.address))).toBe(
        ANN_PAID + BEN_PAID - 4n * FEE,
      )
      expect(await story.ask('vault', 1)).toBe(4n * FEE)
      expect(await story.ask('vault', TOKEN)).toBe(0n)
      expect(
        await refusal(story.as(ann.wallet, 'escapePay', ann.member.index, 1, ann.wallet.address)),
      ).toBe('ShareMustBeUnpaid')
      await story.mustAddUp()
    },
    COLD,
  )
})

/** A point whose discrete logarithm is thrown away with this key. */
const nobody = eighthOf(signingKey(new Uint8Array(32).fill(99)))
const point = (): readonly bigint[] => [nobody.x, nobody.y]

/** Lots that the last batch owes, slot by slot. */
async function owedIn(): Promise<readonly bigint[]> {
  return Promise.all([story.ask<bigint>('owed', TOKEN), story.ask<bigint>('owed', 1)])
}

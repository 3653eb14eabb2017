/** Trades in perpetuals by the command line alone, against a house whose proofs are taken on trust. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documentHash } from '../../circuits/document.ts'
import { isRefused } from '../../client/member.ts'
import { readFundingTables } from '../../client/l1/oracle-tables.ts'
import { PERPETUAL_ID } from '../../oracle/day-2020-03-12.ts'
import { cloister } from '../client/command.ts'
import { openHouse, type LifecycleHouse } from './lifecycle-house.ts'

let world: LifecycleHouse
let folder: string
let numbers: { ANN: number; BEN: number }
const told: string[] = []

/** The command as ANN or BEN types it; batches run meanwhile, as in a house that stays. */
async function as(name: string, ...argv: readonly string[]) {
  const [group, verb, ...more] = argv
  const ran = await cloister(
    group!,
    ...(verb === undefined ? [] : [verb]),
    ...more,
    '--house',
    world.url,
    '--dir',
    join(folder, name),
    '--json',
    '--timeout',
    '600',
  )
  told.push(ran.err)
  return { code: ran.code, answer: JSON.parse(ran.out || ran.err) as Record<string, unknown> }
}
const cashOf = (account: number) => world.house.ledger.accounts.get(account)!.cash
const lotsOf = (account: number) =>
  world.house.ledger.accounts.get(account)!.balances.find(({ id }) => id === PERPETUAL_ID)
    ?.quantity ?? 0n
const tables = () => readFundingTables(world.rpcUrl, world.contract)
const idOf = (answer: Record<string, unknown>) => answer['id'] as string
const propose = (...legs: readonly string[]) =>
  as('ANN', 'trade', 'propose', 'ANN', `${numbers.BEN}`, ...legs, '--no-wait')
const affirm = (id: string, ...more: readonly string[]) =>
  as('BEN', 'trade', 'affirm', 'BEN', id, '--no-wait', ...more)
const bothSign = () => Promise.all(['ANN', 'BEN'].map((name) => as(name, 'trade', 'sign', name)))

beforeAll(async () => {
  world = await openHouse(1)
  folder = mkdtempSync(join(tmpdir(), 'cloister-perpetual-'))
  await world.oracle.table(0)
  // From the second table on there is funding.
  await world.oracle.table(1)
  const made = []
  for (const name of ['ANN', 'BEN']) {
    const { answer } = await as(name, 'account', 'new', name, '--no-wait')
    made.push(Number(answer['account']))
  }
  numbers = { ANN: made[0]!, BEN: made[1]! }
  await world.house.runBatch()
  for (const name of ['ANN', 'BEN'])
    expect((await as(name, 'deposit', name, '50000', '--no-wait')).code).toBe(0)
  await world.house.runBatch()
})
afterAll(async () => {
  await world.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('cloister trade, with a perpetual', () => {
  it('settles at the quoted price less the funding of the table that both sides name', async () => {
    const table = (await tables()).tables.at(-1)!
    const funding = table.funding.get(PERPETUAL_ID)!
    expect(funding).toBeGreaterThan(0n)
    const before = [cashOf(numbers.ANN), cashOf(numbers.BEN)]
    const asked = await as('ANN', 'risk', 'account', 'ANN', '--trade', 'BTC-PERP:3@76.71')
    expect(asked, JSON.stringify(asked)).toMatchObject({
      code: 0,
      answer: {
        table: { number: `${table.number}`, reduceOnly: null },
        whatIf: { refusedBy: null },
      },
    })
    const { code, answer } = await propose('BTC-PERP:3@76.71')
    expect(code, JSON.stringify(answer)).toBe(0)
    const listed = await cloister(
      'trade',
      'list',
      'BEN',
      '--house',
      world.url,
      '--dir',
      join(folder, 'BEN'),
    )
    expect(listed.out).toContain(`BTC-PERP quoted $76.71 less funding $0.0`)
    expect(listed.out).toContain(`of table ${table.number}`)
    expect((await affirm(idOf(answer))).code).toBe(0)
    const signed = await bothSign()
    expect(signed.map((one) => one.code)).toEqual([0, 0])
    expect(signed[0]!.answer['trades']).toMatchObject([{ state: 'accepted', rule: null }])
    await world.house.runBatch()
    const paid = 3n * (76_710_000n - funding)
    expect([cashOf(numbers.ANN) - before[0]!, cashOf(numbers.BEN) - before[1]!]).toEqual([
      -paid - 100n,
      paid - 100n,
    ])
    expect([lotsOf(numbers.ANN), lotsOf(numbers.BEN)]).toEqual([3n, -3n])
    // What was said beforehand is what the account is worth now, world by world, to the micro-dollar.
    const now = await as('ANN', 'risk', 'account', 'ANN')
    const worth = now.answer['worth'] as readonly { microDollars: string }[]
    expect((asked.answer['whatIf'] as { difference: string[] }).difference).toEqual(
      worth.map(({ microDollars }) => microDollars),
    )
    // Both keep the same document, whose hash they signed.
    const kept = ['ANN', 'BEN'].map((name) => {
      const at = join(folder, name, 'documents')
      return readFileSync(join(at, readdirSync(at)[0]!), 'utf8')
    })
    expect(kept[0]).toBe(kept[1])
    expect(JSON.parse(kept[0]!)).toMatchObject({
      table: table.number,
      perpetuals: [{ instrument: PERPETUAL_ID, price: '76710000', funding: `${funding}` }],
    })
  })

  it('settles it together with a leg that has no funding', async () => {
    const { answer } = await propose('BTC-PERP:-1@76.6', 'BTC-27MAR20:1@76.5')
    expect((await affirm(idOf(answer))).code).toBe(0)
    expect((await bothSign()).map((one) => one.code)).toEqual([0, 0])
    await world.house.runBatch()
    expect(lotsOf(numbers.ANN)).toBe(2n)
  })

  it('asked twice under one name is made once', async () => {
    const again = () => propose('BTC-PERP:1@76.6', '--client-id', 'ONCE')
    const [first, second] = [await again(), await again()]
    expect(idOf(second.answer)).toBe(idOf(first.answer))
    expect((await as('ANN', 'trade', 'reject', 'ANN', idOf(first.answer))).code).toBe(0)
  })

  it('affirms what another program proposed with its document alone', async () => {
    const [other] = world.members
    await other!.register()
    await other!.door.mint(10_000_000_000n)
    await other!.deposit(1, 10_000_000_000n)
    await world.house.runBatch()
    const table = (await tables()).tables.at(-1)!
    const funding = table.funding.get(PERPETUAL_ID)!
    const documentAt = (named: bigint) =>
      JSON.stringify({
        words: 'as on the telephone',
        table: table.number,
        perpetuals: [{ instrument: PERPETUAL_ID, price: '76600000', funding: `${named}` }],
      })
    const offer = async (name: string, document: string, price: bigint) => {
      const made = await other!.propose(
        name,
        numbers.BEN,
        [{ instrument: PERPETUAL_ID, quantity: 1n, price }],
        document,
      )
      if (isRefused(made)) throw new Error(made.detail)
      const file = join(folder, `${name}.json`)
      writeFileSync(file, document)
      return { id: made.id, file }
    }
    const good = await offer('good', documentAt(funding), 76_600_000n - funding)
    const bad = await offer('bad', documentAt(funding + 1n), 76_599_999n - funding)
    expect(await affirm(good.id)).toMatchObject({ code: 1, answer: { rule: 'FundingMustBeNamed' } })
    expect(await affirm(good.id, '--document', bad.file)).toMatchObject({
      code: 1,
      answer: { rule: 'DocumentMustMatchPayload' },
    })
    expect(await affirm(bad.id, '--document', bad.file)).toMatchObject({
      code: 1,
      answer: { rule: 'FundingMustMatchTable' },
    })
    expect(await affirm(good.id, '--document', join(folder, 'none.json'))).toMatchObject({
      code: 2,
    })
    expect((await affirm(good.id, '--document', good.file)).code).toBe(0)
    const ticket = (await other!.api.tickets()).find(({ id }) => id === good.id)!
    const [mine, theirs] = await Promise.all([
      other!.settleTicket(ticket, documentAt(funding)),
      as('BEN', 'trade', 'sign', 'BEN'),
    ])
    expect([mine.state, theirs.code]).toEqual(['accepted', 0])
    expect(BigInt(ticket.payload)).toBe(documentHash(documentAt(funding)))
  })

  it('is not signed at a table that has passed meanwhile', async () => {
    const { answer } = await propose('BTC-PERP:1@70')
    const { answer: slow } = await propose('BTC-PERP:1@70.5')
    expect((await affirm(idOf(answer))).code).toBe(0)
    // It charges funding: whoever holds the perpetual at it has paid, not who buys it behind it.
    await world.oracle.table(2)
    expect(await affirm(idOf(slow))).toMatchObject({
      code: 1,
      answer: { rule: 'TableMustBeCurrent' },
    })
    await world.house.runBatch()
    const [ann, ben] = await bothSign()
    expect([ann!.code, ben!.code]).toEqual([1, 1])
    expect(ann!.answer).toMatchObject({ rule: 'TableMustBeCurrent' })
  })
})

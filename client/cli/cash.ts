/** `cloister deposit`, `withdraw` and `claim`: money in from L1 and out to it. */
import { randomBytes } from 'node:crypto'
import { CASH_ID } from '../../circuits/params.ts'
import { replayFrom, type Rebuilt } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import { HouseError } from '../api.ts'
import { untilBatch, type Common, type House, type Result } from './day.ts'
import { Busy, NotYet, Undone } from './failures.ts'
import { asMember, ruleOf, type Session } from './session.ts'
import type { Withdrawing } from './store.ts'
import { dollars, parseAddress, parseDollars } from './terms.ts'

export type Waiting = Common & { readonly wait: boolean }

export async function deposit(name: string, text: string, options: Waiting): Promise<Result> {
  const amount = parseDollars(text)
  const { id, house } = await asMember(name, options, async (session) => {
    const { member, l1, store, house } = session
    const held = await l1.tokenBalance()
    if (held < amount)
      throw new Undone(`${l1.address} holds ${dollars(held)} on L1, less than ${dollars(amount)}`)
    await showDeposits(session)
    const id = await member.deposit(CASH_ID, amount)
    store.save({ shown: member.record.deposits })
    return { id, house }
  })
  let batch: bigint | null = null
  if (options.wait) {
    options.note(`deposit ${id} is on L1: waiting for a batch to credit it`)
    const what = `crediting deposit ${id} (it is on L1: a later batch credits it)`
    batch = await untilBatch(what, house, options.timeout, async (l1) => {
      return (await replayFrom(l1)).deposits.get(id)?.batch ?? null
    })
  }
  return {
    text:
      `${name} deposited ${dollars(amount)} (deposit ${id}): ` +
      (batch === null ? 'the next batch credits it' : `credited by batch ${batch}`),
    json: { name, deposit: `${id}`, microDollars: `${amount}`, batch: batch && `${batch}` },
  }
}

/** A former command may have ended between L1 and the house; twice shown does no harm. */
async function showDeposits({ member, store, house }: Session): Promise<void> {
  for (let counter = store.stored.shown; counter < store.stored.deposits; counter++) {
    await house.api.showDeposit(member.account, member.keys.depositSecret(counter))
    store.save({ shown: counter + 1 })
  }
}

export async function withdraw(
  name: string,
  text: string,
  options: Waiting & { readonly to?: string },
): Promise<Result> {
  const amount = parseDollars(text)
  const given = options.to === undefined ? null : parseAddress(options.to)
  const { house, to } = await asMember(name, options, async (session) => {
    const { member, l1, store, house } = session.mustBeFreeToSign()
    const to = given ?? l1.address
    const [after] = await (await connect(house.rpcUrl, house.status.contract)).view('batchNumber')
    const before = store.stored.withdrawals
    const id = `withdrawal-${randomBytes(6).toString('hex')}`
    const withdrawing = { id, amount: `${amount}`, to, after: `${after}` }
    store.save({ withdrawals: [...before, withdrawing] })
    const outcome = await member.withdraw(CASH_ID, amount, BigInt(to), id)
    if (outcome.state === 'refused') store.save({ withdrawals: before })
    ruleOf(outcome)
    return { house, to }
  })
  const signed = `${name} signed a withdrawal of ${dollars(amount)} to ${to}`
  if (!options.wait)
    return {
      text: `${signed}\nNext, when a batch has settled it: cloister claim ${name}`,
      json: { name, microDollars: `${amount}`, to, claimed: [] },
    }
  options.note(`${signed}: waiting for its batch`)
  return claimed(name, await claimWithin(name, options, house, options.timeout))
}

export async function claim(name: string, options: Waiting): Promise<Result> {
  const house = await asMember(name, options, async ({ store, house }) =>
    store.stored.withdrawals.length === 0 ? null : house,
  ).catch((error: unknown) => {
    const isGone = error instanceof HouseError || error instanceof NotYet
    if (!isGone || error instanceof Busy) throw error
    const how = `what a batch has settled L1 pays without it: cloister exit claim --member ${name}`
    throw new Undone(`${error.message}; ${how}`)
  })
  if (house === null)
    return {
      text:
        `${name} has no withdrawal to claim ` +
        `(forced exits and refunds: cloister exit claim --member ${name})`,
      json: { name, claimed: [] },
    }
  return claimed(name, await claimWithin(name, options, house, options.wait ? options.timeout : 0))
}

type Claimed = {
  readonly batch: bigint
  readonly slot: number
  readonly amount: bigint
  readonly to: string
}

function claimed(name: string, list: readonly Claimed[]): Result {
  const lines = list.map(
    ({ batch, slot, amount, to }) =>
      `${name} withdrew ${dollars(amount)}: batch ${batch} settled it in slot ${slot}, ` +
      `L1 has paid it to ${to}`,
  )
  return {
    text: lines.join('\n'),
    json: {
      name,
      claimed: list.map(({ batch, slot, amount, to }) => ({
        batch: `${batch}`,
        slot,
        microDollars: `${amount}`,
        to,
      })),
    },
  }
}

/** Until every withdrawal that was signed here is paid. Between batches other commands may work. */
async function claimWithin(
  name: string,
  options: Common,
  house: House,
  seconds: number,
): Promise<readonly Claimed[]> {
  const paid: Claimed[] = []
  const what = `settling a withdrawal of ${name} (once settled, cloister claim ${name} takes it)`
  return untilBatch(what, house, seconds, (l1) =>
    asMember(name, options, async (session) => {
      const rebuilt = await replayFrom(l1)
      for (const wanted of session.store.stored.withdrawals) {
        const found = findOnL1(rebuilt, wanted, paid)
        if (found === undefined) continue
        paid.push(await pay(session, rebuilt, found))
        const open = session.store.stored.withdrawals
        session.store.save({ withdrawals: open.filter((other) => other.id !== wanted.id) })
      }
      return session.store.stored.withdrawals.length === 0 ? paid : null
    }),
  )
}

type OnL1 = Claimed & { readonly isClaimed: boolean }

/** L1 does not say whose a withdrawal is; two alike pay the same to the same, so either will do. */
function findOnL1(
  rebuilt: Rebuilt,
  { amount, to, after }: Withdrawing,
  taken: readonly Claimed[],
): OnL1 | undefined {
  const alike = [...rebuilt.withdrawals.values()].filter(
    (w) =>
      w.token === CASH_ID &&
      w.amount === BigInt(amount) &&
      BigInt(w.to) === BigInt(to) &&
      w.batch > BigInt(after) &&
      !taken.some((t) => t.batch === w.batch && t.slot === w.slot),
  )
  return alike.find((w) => !w.isClaimed) ?? alike[0]
}

async function pay(
  { l1, options }: Session,
  rebuilt: Rebuilt,
  { batch, slot, amount, to, isClaimed }: OnL1,
): Promise<Claimed> {
  // Anybody may claim for the address that is paid.
  if (!isClaimed) {
    const ofBatch = [...rebuilt.withdrawals.values()]
      .filter((w) => w.batch === batch)
      .sort((a, b) => a.slot - b.slot)
    options.note(`batch ${batch} has it in slot ${slot}: claiming on L1`)
    await l1.claim(ofBatch, slot)
  }
  return { batch, slot, amount, to: parseAddress(to) }
}

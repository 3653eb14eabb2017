/** `cloister exit refund`: asks L1 for a deposit back that no batch has credited. */
import { fields } from '../exit/due.ts'
import type { OwnerCall } from '../exit/owner.ts'
import { timeText } from '../time-text.ts'
import type { Result } from './day.ts'
import { asOwner, leaving, written, type ExitOptions } from './leaving.ts'
import { Undone } from './failures.ts'
import { hours } from './exit-view.ts'

/** All deposits of the L1 owner that wait, or the one that is named. */
export async function exitRefund(id: string | undefined, options: ExitOptions): Promise<Result> {
  if (id !== undefined && !/^[1-9]\d{0,12}$/.test(id)) throw new Undone(`"${id}" is no deposit`)
  const { l1, found, account, owner, key, where } = await leaving(options)
  if (found.rebuilt.freeze !== null)
    throw new Undone('the house is frozen: cloister exit claim returns deposits at once')
  const own = [...found.rebuilt.deposits.values()].filter(
    (deposit) =>
      deposit.status === 'open' &&
      BigInt(deposit.depositor) === BigInt(owner) &&
      (id === undefined || deposit.id === BigInt(id)),
  )
  if (id !== undefined && own.length === 0)
    throw new Undone(`deposit ${id} is not one of ${owner} that waits to be credited`)
  const asked = own.filter(({ refundDueAt }) => refundDueAt === null)
  const known = own.flatMap(({ id: number, refundDueAt }) =>
    refundDueAt === null
      ? []
      : [`refund of deposit ${number}: asked for, due ${timeText(refundDueAt)}`],
  )
  const json = { account, deposits: asked.map((deposit) => `${deposit.id}`) }
  if (asked.length === 0)
    return {
      text: [...known, `no deposit of account ${account} is to be asked for`].join('\n'),
      json: { ...json, sent: false },
    }
  const calls = asked.map((deposit): OwnerCall => ({ name: 'requestRefund', args: [deposit.id] }))
  if (options.print === true) return written(where.contract, calls, json)
  await asOwner(key, options, where, owner, async (l1Owner) => {
    for (const call of calls) await l1Owner.send(call)
  })
  const { refundDelay = 0n } = (await fields(l1, 'terms')) as Readonly<Record<string, bigint>>
  return {
    text: [
      ...known,
      `asked for the refund of deposit ${json.deposits.join(', ')}: unless a batch credits it first, ` +
        `cloister exit claim returns it in ${hours(refundDelay)}`,
    ].join('\n'),
    json: { ...json, sent: true, refundDelaySeconds: `${refundDelay}` },
  }
}

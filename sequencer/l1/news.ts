/** Events of the contract as the news that the house records. */
import { REQUEST_KIND } from '../../circuits/params.ts'
import { settledRow } from '../../circuits/table.ts'
import type { Fees, L1News, QueuedRequest } from './words.ts'
import type { Event } from './ethers.ts'

type Args = Event['args']

export const NO_NEWS: L1News = {
  requests: [],
  deposits: [],
  refundRequests: [],
  settled: [],
  tables: [],
  confirmed: [],
  mode: null,
}

function requestOf(args: Args): QueuedRequest {
  const [x, y] = [args['x'] as bigint, args['y'] as bigint]
  const common = { serial: args['serial'] as bigint, account: Number(args['account']) }
  const kind = Number(args['kind'])
  if (kind === REQUEST_KIND.forcedExit)
    return { ...common, kind: 'forcedExit', token: Number(x), to: y }
  const key = { ...common, key: { x, y }, viewKeyHash: args['viewKeyHash'] as bigint }
  if (kind === REQUEST_KIND.register) return { ...key, kind: 'register' }
  if (kind === REQUEST_KIND.rotate) return { ...key, kind: 'rotate' }
  throw new Error(`L1 queued a request of kind ${kind}, which this version does not know`)
}

/** In their order: a batch takes the fee that was set before it, and another may be set behind it. */
function feesOf(events: readonly Event[]): { readonly fees?: Fees } {
  const said = events.filter(({ name }) => name === 'FeeSet' || name === 'FeeChanging')
  const last = said.at(-1)
  if (last === undefined) return {}
  const set = said.findLast(({ name }) => name === 'FeeSet')
  const fee = (set?.args['fee'] as bigint | undefined) ?? null
  return { fees: { fee, next: last === set ? null : (last.args['fee'] as bigint) } }
}

export function newsOf(events: readonly Event[]): L1News {
  const named = (name: string): readonly Args[] =>
    events.filter((event) => event.name === name).map(({ args }) => args)
  return {
    requests: named('RequestQueued').map(requestOf),
    deposits: named('Deposited').map((args) => ({
      id: args['id'] as bigint,
      token: Number(args['token']),
      amount: args['amount'] as bigint,
      commitment: args['commitment'] as bigint,
    })),
    refundRequests: named('RefundRequested').map((args) => args['id'] as bigint),
    settled: named('SettlementPosted').flatMap((args) => {
      // By place: lists of ethers have methods of some of these names.
      const values = args[1] as readonly bigint[]
      return (args[0] as readonly bigint[]).map((id, i) =>
        settledRow(Number(id), values[i] as bigint),
      )
    }),
    tables: named('TablePosted').map((args) => ({
      number: args['number'] as bigint,
      root: args['root'] as bigint,
      time: args['time'] as bigint,
    })),
    confirmed: named('TableConfirmed').map((args) => args['number'] as bigint),
    mode: (named('ModeSet').at(-1)?.['mode'] as bigint | undefined) ?? null,
    ...feesOf(events),
  }
}

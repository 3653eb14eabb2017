/** In which shape a batch is built, and which L1 requests can be served in it. */
import type { BatchContext, L1Request } from '../circuits/batch.ts'
import type { Shape } from '../circuits/params.ts'
import type { Book } from './book.ts'
import { chooseBatch, type Choice, type Waiting } from './builder.ts'
import type { QueuedRequest } from './l1.ts'
import type { RandomBelow } from './room.ts'

const ENTRY_SHAPE = 'entry'

/**
 * The queue as it can be served now. A forced exit of a token whose free vault nobody looked up (it
 * came after the look) ends it: requests are served in their order.
 */
export function servable(
  requests: readonly QueuedRequest[],
  freeVaults: ReadonlyMap<number, bigint>,
): readonly L1Request[] {
  const served: L1Request[] = []
  for (const request of requests) {
    if (request.kind !== 'forcedExit') {
      served.push(request)
      continue
    }
    const freeVault = freeVaults.get(request.token)
    if (freeVault === undefined) break
    served.push({ ...request, freeVault })
  }
  return served
}

/**
 * In the first shape; in the entry shape, which is proven sooner, if that holds all of it. The shape
 * of a batch tells an outsider that no page was in it: only where registrations, which are public, are
 * what it is about. `random` gives a generator for one attempt.
 */
export function chooseShape(
  ledger: Book,
  waiting: Waiting,
  shapes: readonly Shape[],
  context: BatchContext,
  random: () => RandomBelow,
): Choice & { readonly shape: Shape } {
  const choose = (shape: Shape) => ({
    shape,
    ...chooseBatch(ledger, waiting, shape, context, random()),
  })
  const [first, ...others] = shapes
  if (first === undefined) throw new Error('house: no shape is configured')
  const usual = choose(first)
  const entry = others.find(({ name }) => name === ENTRY_SHAPE)
  const { plan } = usual.chosen ?? {}
  if (entry === undefined || plan === undefined || plan.requests.length === 0) return usual
  if ([...ledger.pending.values()].some((pages) => pages.length > 0)) return usual
  const quick = choose(entry)
  const isAll =
    quick.chosen?.plan.requests.length === plan.requests.length &&
    quick.chosen.plan.credits.length === plan.credits.length &&
    quick.chosen.plan.flags?.size === plan.flags?.size
  return isAll ? quick : usual
}

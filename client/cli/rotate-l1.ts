/** `cloister account rotate --l1`: another owner key by the L1 owner's word, which wins over any page. */
import type { KeyRing, KeysInForce } from '../key-ring.ts'
import type { Rebuilt } from '../l1/ledger.ts'
import { OpenError } from '../l1/open.ts'
import { readLeaf, rotationsOnL1 } from '../l1/own-leaf.ts'
import { replayFrom } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import { rpcOf, untilBatch, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { accountOf, journalOf } from './keys-on-l1.ts'
import { asOwner, written } from './leaving.ts'
import type { RotateOptions } from './rotate.ts'
import { openStore } from './session.ts'
import type { MemberStore } from './store.ts'

type Served = {
  readonly to: number
  readonly batch: bigint
  /** Of the leaf as it is now; null, with the reason, where this seed does not open it. */
  readonly view: number | null
  readonly why: string | null
  /** Pages under an older key that have not settled, by their names in the journal. */
  readonly unsettled: readonly string[]
}
type Asked = { readonly to: number; readonly isNew: boolean }

export async function rotateFromL1(name: string, options: RotateOptions): Promise<Result> {
  const store = openStore(name, options)
  const account = accountOf(store)
  const { contract } = store.stored
  const rpcUrl = rpcOf(options, store.stored)
  const read = async () => replayFrom(await connect(rpcUrl, contract))
  const begun = await store.locked(async () => {
    const ring = store.ring()
    const rebuilt = await read()
    const served = servedOf(store, ring, rebuilt)
    if (served !== null) return served
    const asked = askedOf(store, ring, rebuilt)
    const { x, y } = ring.eighthAt(asked.to)
    const call = { name: 'rotate', args: [account, x, y] }
    if (!asked.isNew) return asked
    if (options.print === true)
      return written(contract, [call], { name, by: 'l1', state: 'unsent', to: asked.to })
    const key = { ring, directory: store.directory, beside: { pages: null } }
    const owner = rebuilt.l1Owners.get(account) ?? null
    await asOwner(key, options, { rpc: rpcUrl, contract }, owner, (l1) => l1.send(call))
    return asked
  })
  if ('text' in begun) return begun
  if ('batch' in begun) return servedResult(name, begun)
  const said = `L1 was asked for the owner key of rotation ${begun.to} for account ${account}`
  if (!options.wait)
    return {
      text: `${said}\nIt counts once a batch has served it: cloister account rotate ${name} --l1 looks`,
      json: { name, by: 'l1', state: 'waiting', to: begun.to },
    }
  options.note(`${said}: waiting for the batch that serves it`)
  const what = `serving the rotation of ${name} (it stands on L1: the same command looks again)`
  const place = { rpcUrl, status: { contract } }
  const served = await untilBatch(what, place, options.timeout, () =>
    store.locked(async () => servedOf(store, store.ring(), await read())),
  )
  return servedResult(name, served)
}

/** The rotation that was begun here, once a batch has served it. */
function servedOf(store: MemberStore, ring: KeyRing, rebuilt: Rebuilt): Served | null {
  const { rotating = null } = store.stored
  if (rotating?.by !== 'l1') return null
  const { to } = rotating
  const request = rotationsOnL1(rebuilt, accountOf(store), ring, store.keys).findLast(
    (r) => r.to === to && r.servedBy !== null,
  )
  if (request === undefined) return null
  const { keys, why } = keysOf(store, ring, rebuilt)
  // The keys first: a rotation that is still written down makes the next command look again.
  store.save({ keys: keys ?? { ...store.keys, owner: to } })
  store.save({ rotating: null })
  const unsettled = (journalOf(store, ring)?.state.pending ?? []).map(({ clientId }) => clientId)
  return { to, batch: request.servedBy as bigint, view: keys?.view ?? null, why, unsettled }
}

/** Keys of the leaf; none, with the reason, where somebody has put other keys in place of this seed's. */
function keysOf(
  store: MemberStore,
  ring: KeyRing,
  rebuilt: Rebuilt,
): { readonly keys: KeysInForce | null; readonly why: string | null } {
  try {
    const { account, owner, view, batch } = readLeaf(rebuilt, accountOf(store), ring, store.keys)
    if (owner === 'L1') return { keys: null, why: 'its owner key is none of this seed' }
    journalOf(store, ring)?.settle(account.head, batch)
    return { keys: { owner, view }, why: null }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { keys: null, why: error.message }
  }
}

/** Which rotation is asked for; one that waits already is waited for. Written down before it is sent. */
function askedOf(store: MemberStore, ring: KeyRing, rebuilt: Rebuilt): Asked {
  const { name } = store
  const account = accountOf(store)
  if (rebuilt.last(account) === undefined)
    throw new OpenError(`no batch has registered account ${account} yet`)
  const { rotating = null } = store.stored
  const { keys } = keysOf(store, ring, rebuilt)
  const requests = rotationsOnL1(rebuilt, account, ring, store.keys)
  const waiting = requests.find(({ servedBy }) => servedBy === null)
  if (waiting?.to === null)
    throw new Undone(
      `RotationMustNotBePending: a rotation of ${name} to a key that is none of this seed waits on ` +
        "L1. Whoever asked for it has the L1 owner's key; once a batch has served it, ask again",
    )
  if (waiting !== undefined) {
    store.save({ rotating: { to: waiting.to, by: 'l1', id: null } })
    return { to: waiting.to, isNew: false }
  }
  // Asked for before and not on L1: the transaction was never mined, so the same key is asked for.
  if (rotating?.by === 'l1') return { to: rotating.to, isNew: true }
  const seen = [store.keys, ...(keys === null ? [] : [keys])].flatMap((k) => [k.owner, k.view])
  const tried = [rotating?.to ?? 0, ...requests.map((request) => request.to ?? 0)]
  const to = Math.max(...seen, ...tried) + 1
  store.save({ rotating: { to, by: 'l1', id: null } })
  return { to, isNew: true }
}

function servedResult(name: string, { to, batch, view, why, unsettled }: Served): Result {
  return {
    text: [
      `${name} has the owner key of rotation ${to} on L1 since batch ${batch}; every command uses it`,
      view === null
        ? `  NOT OPENED: ${why}`
        : `  The view key stays that of rotation ${view}: only a page changes it (cloister account rotate ${name})`,
      ...(unsettled.length === 0
        ? []
        : [
            `  Signed with the key before and not settled: ${unsettled.join(', ')}. No batch takes ` +
              'them so; those that the house asks for are signed anew, the others are void',
          ]),
    ].join('\n'),
    json: {
      name,
      by: 'l1',
      state: 'done',
      owner: to,
      view,
      batch: `${batch}`,
      unsettled,
      ...(why === null ? {} : { problem: why }),
    },
    code: why === null ? 0 : 1,
  }
}

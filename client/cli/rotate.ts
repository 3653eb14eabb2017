/** `cloister account rotate`: other keys of the same seed, by a page through the house. */
import { randomBytes } from 'node:crypto'
import type { KeysInForce } from '../key-ring.ts'
import { rotationsOnL1 } from '../l1/own-leaf.ts'
import { replayFrom } from '../l1/rebuild.ts'
import { connect } from '../l1/rpc.ts'
import type { Waiting } from './cash.ts'
import { untilBatch, type Common, type House, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { isInstalled, keysInWords } from './keys-on-l1.ts'
import { asMember, ruleOf, type Session } from './session.ts'

export type RotateOptions = Waiting & {
  /** From L1, with the L1 owner's key. */
  readonly l1?: boolean
  readonly l1Key?: string
  readonly print?: boolean
}
type Standing =
  | { readonly state: 'done'; readonly keys: KeysInForce; readonly batch: bigint }
  | { readonly state: 'waiting'; readonly to: number }

export async function accountRotate(name: string, options: RotateOptions): Promise<Result> {
  if (options.l1 === true) {
    const { rotateFromL1 } = await import('./rotate-l1.ts')
    return rotateFromL1(name, options)
  }
  if (options.print === true || options.l1Key !== undefined)
    throw new Undone('--print and --l1-key go with --l1')
  return rotateByPage(name, options)
}

async function rotateByPage(name: string, options: Waiting): Promise<Result> {
  const { house, ...begun } = await asMember(name, options, async (session) => ({
    house: session.house,
    ...((await standingOf(session)) ?? (await signRotation(session))),
  }))
  if (begun.state === 'done') return doneResult(name, begun)
  const said = `${name} signed a rotation to the keys of rotation ${begun.to}`
  if (!options.wait)
    return {
      text: `${said}\nThe old keys are valid until a batch has settled it: cloister account rotate ${name} looks`,
      json: { name, by: 'page', state: 'waiting', to: begun.to },
    }
  options.note(`${said}: waiting for its batch`)
  return doneResult(name, await untilInstalled(name, options, house))
}

function untilInstalled(
  name: string,
  options: Common,
  house: House,
): Promise<Extract<Standing, { state: 'done' }>> {
  const what =
    `rotating the keys of ${name} (it goes on where the house is slow: the same command looks ` +
    'again; --l1 needs no house)'
  return untilBatch(what, house, options.timeout, () =>
    asMember(name, options, async (session) => {
      const standing = await standingOf(session)
      if (standing === null)
        throw new Undone(
          `the rotation of ${name} came to nothing: its page has expired or could not settle, or ` +
            'another rotation has taken its place. cloister account show says which keys are valid',
        )
      return standing.state === 'done' ? standing : null
    }),
  )
}

/** How far the rotation is that was begun here; null if there is none, or it has come to nothing. */
async function standingOf(session: Session): Promise<Standing | null> {
  const { store, member } = session
  const { rotating = null } = store.stored
  if (rotating === null) return null
  const { keys, batch } = await session.adoptKeys()
  if (isInstalled(rotating, keys)) {
    // Last of all: as long as it stands, every command asks L1 which keys are valid.
    store.save({ rotating: null })
    return { state: 'done', keys, batch }
  }
  // One from L1 that waits there is found in its queue; one that never got there is over.
  const isPending = rotating.id !== null && member.journal.isPending(rotating.id)
  return isPending ? { state: 'waiting', to: rotating.to } : null
}

async function signRotation(session: Session): Promise<Standing> {
  const { store, member, ring } = session
  const { keys } = await session.adoptKeys()
  await mustBeFreeOfOthers(session)
  if (store.stored.rotating != null)
    session.options.note('the rotation that was begun has come to nothing: another page is signed')
  const to = Math.max(keys.owner, keys.view) + 1
  const id = `rotation-${to}-${randomBytes(6).toString('hex')}`
  // Before the page leaves: whatever happens to this process, the next one knows what to look for.
  store.save({ rotating: { to, by: 'page', id } })
  const outcome = await member.rotate(ring.at(to), id)
  if (outcome.state === 'refused') store.save({ rotating: null })
  ruleOf(outcome)
  return { state: 'waiting', to }
}

/** Nothing may be under way that the rotation would end without a word. */
async function mustBeFreeOfOthers({ store, member, house, ring, options }: Session): Promise<void> {
  const { name } = store
  const rebuilt = await replayFrom(await connect(house.rpcUrl, house.status.contract))
  const onL1 = rotationsOnL1(rebuilt, member.account, ring, store.keys)
  if (onL1.some(({ servedBy }) => servedBy === null))
    throw new Undone(
      `a rotation of ${name} from L1 waits for its batch, and wins over any page: cloister account ` +
        `rotate ${name} --l1 shows how far it is`,
    )
  const tickets = await house.api.tickets(true)
  const half = tickets.filter(({ state }) => state === 'stamped').map(({ id }) => id)
  if (half.length > 0)
    throw new Undone(
      `a rotation ends the journal until its batch, and would end trades that wait for a signature: ` +
        `${half.join(', ')}. Sign them (cloister trade sign ${name}) or let their two minutes pass`,
    )
  const open = tickets.filter(({ state }) => state === 'proposed').length
  if (open > 0)
    options.note(
      `${open} proposals are open: one that is affirmed before the batch of the rotation cannot be ` +
        'signed in its two minutes',
    )
}

function doneResult(name: string, { keys, batch }: Extract<Standing, { state: 'done' }>): Result {
  return {
    text: `${name} has the ${keysInWords(keys)} on L1 (batch ${batch}); every command uses them`,
    json: { name, by: 'page', state: 'done', keys, batch: `${batch}` },
  }
}

/**
 * Sealing a house, and announcing, carrying out and cancelling its changes. Each step first reads how
 * things stand, so that asked twice it is done once; then it is tried without being sent, so that a
 * refusal costs nothing and has the contract's own name; it is sent only where `isSent` says so.
 */
import type { Change, ChangeControl } from '../l1/changes.ts'
import type { ChangeCall } from './call.ts'
import { HOUSE, LOCK, within, type ChangeOptions, type ChangeStep, type Desk } from './desk.ts'
import { ChangeRefusal } from './refusal.ts'
import { timeText } from '../time-text.ts'

export type Times = {
  /** All in seconds. By the latest block. */
  readonly now: bigint
  /** From when on anybody may carry it out. */
  readonly dueAt: bigint
  /** Until when; then it must be announced again. */
  readonly lapsesAt: bigint
  /** Whoever asks for a forced exit until then is served, or can freeze the house, before it. */
  readonly leaveBy: bigint
}
export type AnnounceOptions = ChangeOptions & {
  readonly call: ChangeCall
  /** 32 bytes in hex; another one where the same change is to be made again. */
  readonly salt?: string
  /** Announces what would be refused if it were carried out today. */
  readonly isForLater?: boolean
}
export type Announcement = ChangeStep &
  Times & { readonly id: string; readonly says: string; readonly warning: string | null }

const ZERO = `0x${'00'.repeat(32)}`
/** Announces a change, once: where the same is announced already, that one is told. */
export async function announceChange(options: AnnounceOptions): Promise<Announcement> {
  const { call, salt = ZERO, isForLater = false } = options
  return within(options, async (desk) => {
    const { control } = desk
    if (!control.isSealed)
      throw new ChangeRefusal(
        'HouseMustBeSealed',
        'before the seal who deployed it makes every change itself, at once; see: cloister changes seal',
      )
    if (await desk.isFrozen())
      throw new ChangeRefusal('HouseMustNotBeFrozen', 'no change reaches a frozen house any more')
    const target = await desk.addressOf(call)
    const given = [target, 0n, call.data, ZERO, salt] as const
    const id = await desk.idOf(given)
    const same = control.changes.find((one) => isSame(one, id, target, call.data, options.salt))
    if (same !== undefined && same.dueAt !== null)
      return {
        ...(await desk.nothing(control.lock, '0x')),
        ...timesOf(control, same.dueAt),
        id: same.id,
        says: call.says,
        warning: null,
      }
    if (control.changes.some((one) => one.id === id && one.state === 'done'))
      throw new ChangeRefusal(
        'SaltMustBeNew',
        `this very change was made before (${id}): to make it again give another --salt, 32 bytes in hex`,
      )
    const problem = await desk.problemOf(target, call.data)
    if (problem !== null && !isForLater)
      throw new ChangeRefusal(
        'CallMustSucceed',
        `carried out today it would be refused: ${problem}. To announce it all the same: --for-later`,
      )
    const data = LOCK.encodeFunctionData('schedule', [...given, control.delay])
    const step = await desk.step(control.lock, data, 'PROPOSER_ROLE')
    const found = step.transaction === null ? null : await desk.again(id)
    const dueAt = found?.dueAt ?? control.now + control.delay
    return { ...step, ...timesOf(control, dueAt), id, says: call.says, warning: problem }
  })
}

/** Carries out what is due: anybody may. */
export async function executeChange(
  options: ChangeOptions & { readonly id: string },
): Promise<ChangeStep & { readonly change: Change }> {
  return within(options, async (desk) => {
    const { control } = desk
    const change = found(control, options.id)
    if (change.state === 'done') return { ...(await desk.nothing(control.lock, '0x')), change }
    const { dueAt, calls, predecessor, salt } = change
    if (change.state === 'waiting')
      throw new ChangeRefusal(
        'ChangeMustBeDue',
        `it can be carried out from ${timeText(dueAt ?? 0n)} on; now it is ${timeText(control.now)}`,
      )
    refuseOver(change)
    const before = control.changes.find(({ id }) => id === predecessor)
    if (predecessor !== ZERO && before?.state !== 'done')
      throw new ChangeRefusal('PredecessorMustBeDone', `${predecessor} must be carried out before`)
    const [one, another] = calls
    const data =
      another === undefined && one !== undefined
        ? LOCK.encodeFunctionData('execute', [one.target, one.value, one.data, predecessor, salt])
        : LOCK.encodeFunctionData('executeBatch', [
            calls.map(({ target }) => target),
            calls.map(({ value }) => value),
            calls.map((call) => call.data),
            predecessor,
            salt,
          ])
    return settled(desk, await desk.step(control.lock, data, null), change)
  })
}

/** Takes an announced change back: who announces may, and the guardian. */
export async function cancelChange(
  options: ChangeOptions & { readonly id: string },
): Promise<ChangeStep & { readonly change: Change }> {
  return within(options, async (desk) => {
    const { control } = desk
    const change = found(control, options.id)
    // Nobody carries it out any more: that is all that was wanted.
    if (change.state === 'cancelled' || change.state === 'lapsed')
      return { ...(await desk.nothing(control.lock, '0x')), change }
    if (change.state === 'done')
      throw new ChangeRefusal('ChangeMustNotBeDone', 'it was carried out: announce its opposite')
    const data = LOCK.encodeFunctionData('cancel', [change.id])
    return settled(desk, await desk.step(control.lock, data, 'CANCELLER_ROLE'), change)
  })
}

/** For good: from then on only the lock changes anything. */
export async function sealByKey(options: ChangeOptions): Promise<ChangeStep> {
  return within(options, async (desk) =>
    desk.control.isSealed
      ? desk.nothing(options.house, '0x')
      : desk.step(options.house, HOUSE.encodeFunctionData('seal'), 'ADMIN'),
  )
}

/** The guardian stops what comes in, or lets it in again; what leads out is never stopped. */
export async function setPause(
  options: ChangeOptions & { readonly isPaused: boolean },
): Promise<ChangeStep> {
  const name = options.isPaused ? 'pause' : 'unpause'
  return within(options, async (desk) =>
    desk.control.isPaused === options.isPaused
      ? desk.nothing(options.house, '0x')
      : desk.step(options.house, HOUSE.encodeFunctionData(name), 'GUARDIAN'),
  )
}

export function timesOf({ now, life, wayOut }: ChangeControl, dueAt: bigint): Times {
  return { now, dueAt, lapsesAt: dueAt + life, leaveBy: dueAt - wayOut }
}

/** The change as it stands once the step is done. */
async function settled(
  desk: Desk,
  step: ChangeStep,
  change: Change,
): Promise<ChangeStep & { readonly change: Change }> {
  const after = step.outcome === 'sent' ? await desk.again(change.id) : null
  return { ...step, change: after ?? change }
}

/** The same id, or, where no salt was named, the same call under whatever name. */
function isSame(one: Change, id: string, target: string, data: string, salt?: string): boolean {
  if (one.state !== 'waiting' && one.state !== 'due') return false
  if (one.id === id) return true
  const [call, another] = one.calls
  // What follows another, or sends money, is another change.
  return (
    salt === undefined &&
    one.predecessor === ZERO &&
    another === undefined &&
    call?.target === target &&
    call.data === data &&
    call.value === 0n
  )
}

function found({ changes }: ChangeControl, id: string): Change {
  const change = changes.find((one) => one.id === id.toLowerCase())
  if (change === undefined)
    throw new ChangeRefusal('ChangeMustBeAnnounced', `nothing was ever announced under ${id}`)
  return change
}

function refuseOver({ state, dueAt }: Change): void {
  if (state === 'cancelled')
    throw new ChangeRefusal('ChangeMustBeAnnounced', 'it was cancelled: announce it again')
  if (state === 'lapsed')
    throw new ChangeRefusal(
      'ChangeMustNotHaveLapsed',
      `it was due at ${timeText(dueAt ?? 0n)} and nobody carried it out in time: announce it again`,
    )
}

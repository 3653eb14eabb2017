/** The steps of `cloister changes` in words: what is sent, what follows, and from when on. */
import {
  announceChange,
  cancelChange,
  executeChange,
  sealByKey,
  setPause,
  type Announcement,
} from '../change/act.ts'
import { changeCall, PLACES, type Place } from '../change/call.ts'
import type { ChangeOptions, ChangeStep } from '../change/desk.ts'
import { readL1Key } from '../change/key.ts'
import type { Change } from '../l1/changes.ts'
import { timeText } from '../time-text.ts'
import { houseOnL1, plainOf } from './changes.ts'
import type { Common, Result } from './day.ts'
import { Undone } from './failures.ts'
import { fromHere } from './root.ts'

type Given = Common & Readonly<Record<string, unknown>>

export async function announce(
  name: string,
  values: readonly string[],
  given: Given,
): Promise<Result> {
  const { of, salt, forLater } = given as { of?: string; salt?: string; forLater?: boolean }
  if (of !== undefined && !PLACES.includes(of as Place))
    throw new Undone(`--of must be one of ${PLACES.join(', ')}`)
  if (salt !== undefined && !/^0x[0-9a-f]{64}$/.test(salt))
    throw new Undone('--salt must be 0x and 64 hexadecimal digits in lower case')
  const call = changeCall(name, values, of as Place | undefined, fromHere)
  const made = await announceChange({
    ...optionsOf(given),
    call,
    ...(salt === undefined ? {} : { salt }),
    ...(forLater === true ? { isForLater: true } : {}),
  })
  return {
    text: [
      `${call.says}  of the ${call.place}`,
      ...stepLines(made, {
        sent: 'ANNOUNCED',
        ready: 'would be announced',
        already: 'IS ANNOUNCED already; nothing was sent',
      }),
      `id          ${made.id}`,
      ...timeLines(made),
      ...(made.warning === null
        ? []
        : [`CARE: carried out today it would be refused: ${made.warning}`]),
    ].join('\n'),
    json: plainOf(made),
  }
}

function timeLines({ now, dueAt, lapsesAt, leaveBy }: Announcement): readonly string[] {
  return [
    `carried out from ${timeText(dueAt)} to ${timeText(lapsesAt)}, by anybody: cloister changes execute ID`,
    leaveBy < now
      ? 'leaving     there is no time left in which a forced exit is surely over before it'
      : `leaving     whoever asks for a forced exit until ${timeText(leaveBy)} is served, or can freeze the house, before it`,
  ]
}

export async function execute(id: string, given: Given): Promise<Result> {
  const made = await executeChange({ ...optionsOf(given), id: idOf(id) })
  return changed(made, {
    sent: 'CARRIED OUT',
    ready: 'is due: it would be carried out',
    already: 'WAS CARRIED OUT already; nothing was sent',
  })
}

export async function cancel(id: string, given: Given): Promise<Result> {
  const made = await cancelChange({ ...optionsOf(given), id: idOf(id) })
  return changed(made, {
    sent: 'CANCELLED',
    ready: 'would be cancelled',
    already: 'IS OVER already: it was cancelled or has lapsed; nothing was sent',
  })
}

export async function seal(given: Given): Promise<Result> {
  const made = await sealByKey(optionsOf(given))
  return {
    text: [
      ...stepLines(made, {
        sent: 'SEALED, for good: every change is announced now',
        ready: 'would be sealed, for good',
        already: 'IS SEALED already; nothing was sent',
      }),
      'next: the guardian opens it: cloister changes unpause --key-file FILE --yes',
    ].join('\n'),
    json: plainOf(made),
  }
}

export async function pause(isPaused: boolean, given: Given): Promise<Result> {
  const made = await setPause({ ...optionsOf(given), isPaused })
  const word = isPaused ? 'paused' : 'open'
  return {
    text: stepLines(made, {
      sent: `IS ${word.toUpperCase()}`,
      ready: `would be ${word}`,
      already: `IS ${word.toUpperCase()} already; nothing was sent`,
    }).join('\n'),
    json: plainOf(made),
  }
}

function optionsOf(given: Given): ChangeOptions {
  const { keyFile, yes } = given as { keyFile?: string; yes?: boolean }
  const { rpcUrl, contract } = houseOnL1(given)
  const key = readL1Key(keyFile === undefined ? undefined : fromHere(keyFile))
  return { rpcUrl, house: contract, key, isSent: yes === true }
}

function idOf(id: string): string {
  if (!/^0x[0-9a-fA-F]{64}$/.test(id)) throw new Undone('an id is 0x and 64 hexadecimal digits')
  return id.toLowerCase()
}

function changed(
  made: ChangeStep & { readonly change: Change },
  words: Readonly<Record<ChangeStep['outcome'], string>>,
): Result {
  const { change } = made
  const calls = change.calls.map(
    ({ target, says, data }) => `  ${target}  ${says ?? `UNKNOWN CALL ${data}`}`,
  )
  return { text: [...stepLines(made, words), ...calls].join('\n'), json: plainOf(made) }
}

function stepLines(
  { outcome, from, transaction, to, data }: ChangeStep,
  words: Readonly<Record<ChangeStep['outcome'], string>>,
): readonly string[] {
  if (outcome === 'already') return [words.already]
  if (outcome === 'sent') return [`${words.sent}  in ${transaction}`]
  return [
    `${words.ready}; NOTHING WAS SENT: --yes sends it`,
    from === null ? 'tried       no: no key was given' : `tried       by ${from}, and not refused`,
    `to          ${to}`,
    `data        ${data}`,
  ]
}

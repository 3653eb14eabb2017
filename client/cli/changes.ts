/** `cloister changes`: who may change what of a house, what is announced, and until when one can leave. */
import { readChanges, type Change, type ChangeControl } from '../l1/changes.ts'
import { findDay, START, type Common, type Result } from './day.ts'
import { Undone } from './failures.ts'
import { timeText } from '../time-text.ts'

/** Where the house of --rpc and --contract is, or the one that runs here. */
export function houseOnL1(options: Common & { readonly contract?: string }): {
  readonly rpcUrl: string
  readonly contract: string
} {
  const day = options.rpc === undefined || options.contract === undefined ? findDay(options) : null
  const rpcUrl = options.rpc ?? day?.rpcUrl
  const contract = options.contract ?? day?.contract
  if (rpcUrl === undefined || contract === undefined)
    throw new Undone(`no house is running: name --rpc and --contract, or ${START}`)
  return { rpcUrl, contract }
}

export async function changes(options: Common & { readonly contract?: string }): Promise<Result> {
  const { rpcUrl, contract } = houseOnL1(options)
  const found = await readChanges(rpcUrl, contract)
  return { text: renderChanges(contract, found), json: plainOf(found) }
}

const days = (seconds: bigint): string => `${(Number(seconds) / 86_400).toFixed(1)} days`

export function renderChanges(contract: string, found: ChangeControl): string {
  const { lock, isSealed, isPaused, delay, changes: all } = found
  return [
    `House ${contract}`,
    isSealed
      ? `sealed: changes come through the lock ${lock} alone, ${days(delay)} after they are announced`
      : 'NOT SEALED: who deployed it changes keys, fee, tokens and roles at once',
    ...(isPaused ? ['paused: no batch, deposit or registration; every way out is open'] : []),
    ...(all.length === 0
      ? ['nothing was ever announced']
      : all.flatMap((one) => lines(one, found))),
  ].join('\n')
}

function lines(
  { id, state, dueAt, calls }: Change,
  { now, wayOut }: ChangeControl,
): readonly string[] {
  const when =
    dueAt === null
      ? ''
      : state === 'waiting'
        ? `, can be carried out from ${timeText(dueAt)}, in ${days(dueAt - now)}`
        : `, was due at ${timeText(dueAt)}`
  return [
    `${state.toUpperCase()}${when}  ${id}`,
    ...(state === 'waiting' && dueAt !== null && dueAt - wayOut > now
      ? [
          `  whoever asks for a forced exit until ${timeText(dueAt - wayOut)} is served, or can freeze the house, before it`,
        ]
      : []),
    ...calls.map(({ target, says, data }) => `  ${target}  ${says ?? `UNKNOWN CALL ${data}`}`),
  ]
}

/** As JSON: whole numbers as text. */
export function plainOf(found: object): Record<string, unknown> {
  return JSON.parse(
    JSON.stringify(found, (_, value: unknown) => (typeof value === 'bigint' ? `${value}` : value)),
  ) as Record<string, unknown>
}

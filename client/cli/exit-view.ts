/** What `cloister exit` prints: prices, grounds, what can be collected. */
import { CASH_ID } from '../../circuits/params.ts'
import type { Due } from '../exit/due.ts'
import { GROUND_TEXT, type GroundState } from '../exit/grounds.ts'
import type { Rebuilt } from '../l1/ledger.ts'
import { Undone } from './failures.ts'
import { dollars } from './terms.ts'

const ETHER = 10n ** 18n

export function parseEther(text: string): bigint {
  const [, whole, decimals = ''] = /^(\d{1,9})(?:\.(\d{1,18}))?$/.exec(text) ?? []
  if (whole === undefined) throw new Undone(`"${text}" is no price: ether like 0.002`)
  return BigInt(whole) * ETHER + BigInt(decimals.padEnd(18, '0'))
}

export function ether(wei: bigint): string {
  const decimals = (wei % ETHER).toString().padStart(18, '0').replace(/0+$/, '')
  return `${wei / ETHER}${decimals === '' ? '' : `.${decimals}`} ether`
}

export function hours(seconds: bigint): string {
  return seconds < 7_200n ? `${seconds} s` : `${seconds / 3_600n} h`
}

/** Fixing the value of the pot moves nothing by itself. */
export const isMoney = ({ what }: Due): boolean => what !== 'valuePot'

export function dueText(
  { what, token, amount, to }: Due,
  { rebuilt }: { readonly rebuilt: Rebuilt },
): string {
  const lots = token === CASH_ID ? dollars(amount) : `${amount} lots of token ${token}`
  const address = rebuilt.tokens.get(token)?.address ?? ''
  const words = {
    payment: 'a payment of',
    refund: 'a refund of',
    share: 'a share of',
    valuePot: '',
  }
  return `${words[what]} ${lots} (${address}) to ${to}`
}

export function dueJson({ what, token, amount, to }: Due) {
  return { what, token, lots: `${amount}`, to }
}

export function groundText({ name, holds, left, isServiceClock }: GroundState): string {
  const clock = isServiceClock ? ' of service' : ''
  const when = holds ? 'holds NOW' : left === null ? 'nothing waits' : `in ${hours(left)}${clock}`
  return `    ${name.padEnd(10)}  ${GROUND_TEXT[name]}: ${when}`
}

export function groundJson({ name, code, holds, left }: GroundState) {
  return { name, code, holds, secondsLeft: left === null ? null : `${left}` }
}

/** Whose an address is, as far as limits go. */
import { isIPv6 } from 'node:net'

const LONGEST = 64
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/**
 * An IPv4 address as it is; of IPv6 the first 64 bits, since the other 64 are chosen by whoever has them:
 * by single addresses nobody would ever be over a limit, and each costs memory.
 */
export function networkOf(address: string): string {
  const [bare = ''] = address.split('%')
  const [, mapped] = MAPPED.exec(bare) ?? []
  if (mapped !== undefined) return mapped
  if (!isIPv6(bare)) return bare.slice(0, LONGEST)
  const [head = '', tail] = bare.split('::')
  const groupsOf = (text: string | undefined): readonly string[] =>
    text === undefined || text === '' ? [] : text.split(':')
  const [before, behind] = [groupsOf(head), groupsOf(tail)]
  // An IPv4 address at the end stands for two groups.
  const given = before.length + behind.length + (bare.includes('.') ? 1 : 0)
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - given }, () => '0')
  const groups = [...before, ...zeros, ...behind].slice(0, 4)
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

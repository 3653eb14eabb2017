/** A change in words, `setFee 300000` or `grantRole OPERATOR 0x...`, as the call that the lock will make. */
import { readFileSync } from 'node:fs'
import { getAddress, keccakOf } from '../l1/ethers.ts'
import { CHANGES, inWords, ROLES } from '../l1/changes.ts'
import { ChangeRefusal } from './refusal.ts'

export const PLACES = ['house', 'oracle', 'lock'] as const
export type Place = (typeof PLACES)[number]
export type ChangeCall = { readonly place: Place; readonly data: string; readonly says: string }

const PLACE_OF: Readonly<Record<string, readonly Place[]>> = {
  setFee: ['house'],
  addToken: ['house'],
  addShape: ['house'],
  addSweepShape: ['house'],
  addEscapeShape: ['house'],
  setSigners: ['oracle'],
  setTiming: ['oracle'],
  addUnderlying: ['oracle'],
  setBand: ['oracle'],
  retireUnderlying: ['oracle'],
  setWorlds: ['oracle'],
  updateDelay: ['lock'],
  grantRole: ['house', 'oracle', 'lock'],
  revokeRole: ['house', 'oracle', 'lock'],
}
export const CALL_NAMES = Object.keys(PLACE_OF)

/**
 * Throws ChangeRefusal, naming what the call must be.
 * @param placed Where a file is that was named as @FILE.
 */
export function changeCall(
  name: string,
  words: readonly string[],
  of?: Place,
  placed: (path: string) => string = (path) => path,
): ChangeCall {
  const places = PLACE_OF[name]
  const fragment = places === undefined ? null : CHANGES.getFunction(name)
  if (places === undefined || fragment === null)
    throw new ChangeRefusal(
      'CallMustBeKnown',
      `"${name}" is none of the changes that a lock makes: ${CALL_NAMES.join(', ')}`,
    )
  const place = of ?? (places.length === 1 ? places[0] : undefined)
  if (place === undefined || !places.includes(place))
    throw new ChangeRefusal('TargetMustBeNamed', `${name} is of ${places.join(' or ')}: give --of`)
  const usage = `${name} ${fragment.inputs.map(({ name: input, type }) => `<${input}: ${type}>`).join(' ')}`
  if (words.length !== fragment.inputs.length)
    throw new ChangeRefusal('CallMustBeKnown', `${words.length} values are given; it is ${usage}`)
  const values = fragment.inputs.map((input, i) => {
    const word = words[i] as string
    try {
      if (input.type === 'bytes' && word.startsWith('@')) return contentOf(placed(word.slice(1)))
      return valueOf(input, word, ROLES[place])
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new ChangeRefusal('CallMustBeKnown', `${input.name} must be ${why}; it is ${usage}`)
    }
  })
  let data: string
  try {
    data = CHANGES.encodeFunctionData(fragment, values)
  } catch {
    throw new ChangeRefusal('CallMustBeKnown', `a value does not fit its type; it is ${usage}`)
  }
  return { place, data, says: inWords(data) ?? name }
}

type Input = {
  readonly type: string
  readonly baseType: string
  readonly arrayChildren: Input | null
  readonly components: readonly (Input & { readonly name: string })[] | null
}

function valueOf(input: Input, given: unknown, roles: readonly string[]): unknown {
  const { type, baseType } = input
  const word = typeof given === 'number' ? String(given) : given
  if (baseType === 'array') {
    const list = typeof word === 'string' ? listOf(word) : word
    if (!Array.isArray(list) || input.arrayChildren === null) throw new Error('a list: a,b,c')
    return list.map((one) => valueOf(input.arrayChildren as Input, one, roles))
  }
  if (baseType === 'tuple') return structOf(input, word, roles)
  if (typeof word === 'boolean' && type === 'bool') return word
  if (typeof word !== 'string') throw new Error(`a value of type ${type}`)
  if (type === 'address') {
    try {
      return getAddress(word)
    } catch {
      throw new Error('an address, 0x and 40 hexadecimal digits with the right checksum')
    }
  }
  if (type === 'bool') {
    if (word !== 'true' && word !== 'false') throw new Error('true or false')
    return word === 'true'
  }
  if (type.startsWith('uint')) {
    if (!/^(0|[1-9][0-9]{0,77})$/.test(word)) throw new Error('a whole number in decimal digits')
    return BigInt(word)
  }
  if (type === 'bytes32') {
    if (/^0x[0-9a-fA-F]{64}$/.test(word)) return word
    if (roles.includes(word)) return keccakOf(word)
    throw new Error(`32 bytes in hexadecimal, or a role by its name: ${roles.join(', ')}`)
  }
  if (type === 'bytes' && !/^0x([0-9a-fA-F]{2})*$/.test(word))
    throw new Error('bytes in hexadecimal, or @FILE')
  return word
}

function contentOf(path: string): string {
  try {
    return `0x${readFileSync(path).toString('hex')}`
  } catch {
    throw new Error(`a file that can be read: there is none at ${path}`)
  }
}

const listOf = (word: string): unknown =>
  word.startsWith('[') ? (JSON.parse(word) as unknown) : word === '' ? [] : word.split(',')

/** JSON with every field by name, and no other. */
function structOf(input: Input, given: unknown, roles: readonly string[]): unknown {
  const fields = input.components ?? []
  const form = `{${fields.map(({ name }) => `"${name}":...`).join(',')}}`
  let value = given
  try {
    if (typeof value === 'string') value = JSON.parse(value) as unknown
  } catch {
    throw new Error(`JSON: ${form}`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`JSON: ${form}`)
  const names = Object.keys(value)
  if (names.length !== fields.length || fields.some(({ name }) => !names.includes(name)))
    throw new Error(`JSON with these fields and no other: ${form}`)
  return fields.map((field) =>
    valueOf(field, (value as Record<string, unknown>)[field.name], roles),
  )
}

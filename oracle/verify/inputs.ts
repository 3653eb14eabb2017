/** The inputs of a table: from L1, or from files of whoever keeps them. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Row, RowStatus } from '../../circuits/table.ts'
import { ROW_STATUS } from '../../circuits/params.ts'
import { InputError, listOf, objectOf, textOf, wholeOf, type Json } from '../signer/canonical.ts'
import { parseWorldSet } from '../worlds.ts'
import { worldsBytes } from '../signer/engine.ts'
import { integerOf } from '../signer/report.ts'

/** Bytes as 0x and hex digits; rows are what the poster published as its whole table. */
export type InputFiles = {
  readonly market?: string
  readonly worlds?: string
  readonly instruments?: string
  readonly rows: readonly (readonly Row[])[]
}
const FILE_BYTES_UPPER_BOUND = 1 << 24

/** A file or every .json of a folder; each is known by its content, not by its name. */
export function readInputs(path: string): InputFiles {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.json'))
        .map((name) => join(path, name))
    : [path]
  let found: InputFiles = { rows: [] }
  for (const file of files.sort()) {
    if (statSync(file).size >= FILE_BYTES_UPPER_BOUND) throw new InputError(`${file} is too large`)
    found = { ...found, ...inputIn(readFileSync(file), file, found) }
  }
  return found
}

function inputIn(bytes: Buffer, file: string, found: InputFiles): Partial<InputFiles> {
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new InputError(`${file} must be JSON`)
  }
  if (Array.isArray(value)) return { rows: [...found.rows, rowsFrom(value)] }
  const hex = `0x${bytes.toString('hex')}`
  const isA = (key: string): boolean =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, key)
  const kind = isA('worlds') ? 'worlds' : isA('instruments') ? 'instruments' : 'market'
  if (kind === 'market' && !isA('underlyings')) {
    throw new InputError(`${file} must be a market, a world set, instruments, or rows`)
  }
  if (found[kind] !== undefined) throw new InputError(`there must be one ${kind} document`)
  // The hash of a world set is that of its canonical form: the file may be written as one likes.
  if (kind === 'worlds') return { worlds: worldsBytes(parseWorldSet(value as Json)) }
  return { [kind]: hex }
}

function rowsFrom(value: unknown): readonly Row[] {
  return listOf(value, 'rows').map((item) => {
    const row = objectOf(item, ['id', 'status', 'addOn', 'values'], 'row')
    const status = textOf(row['status'], 'status')
    if (!Object.hasOwn(ROW_STATUS, status)) throw new InputError(`status ${status} must be known`)
    return {
      id: wholeOf(row['id'], 'id'),
      status: status as RowStatus,
      addOn: integerOf(row['addOn'], 'addOn'),
      values: listOf(row['values'], 'values').map((one) => integerOf(one, 'value')),
    }
  })
}

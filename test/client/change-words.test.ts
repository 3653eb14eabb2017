/** A change as its words on the command line: which calls there are, what each takes, what it says of itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { id as keccakOf, ZeroHash } from 'ethers'
import { afterAll, describe, expect, it } from 'vitest'
import { CALL_NAMES, changeCall } from '../../client/change/call.ts'
import { HOUSE_RULES, LOCK_RULES, ORACLE_RULES } from '../contracts/admin-rules.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloister-words-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a call in words', () => {
  const ADDRESS = `0x${'Ab'.repeat(20)}`.toLowerCase()
  const refused = (words: string, name: string, ...values: string[]) =>
    expect(() => changeCall(name, values)).toThrow(words)

  it('is any that the lock alone may make, and no other', () => {
    const names = [HOUSE_RULES, ORACLE_RULES, LOCK_RULES].flatMap((rules) =>
      Object.entries(rules).flatMap(([signature, { by: who }]) =>
        who === 'lock' ? [signature.slice(0, signature.indexOf('('))] : [],
      ),
    )
    expect([...new Set(names)].filter((name) => name !== 'seal').sort()).toEqual(
      [...CALL_NAMES].sort(),
    )
    for (const name of ['seal', 'pause', 'list', 'submitBatch', 'toString', ''])
      refused('is none of the changes', name)
  })

  it('says what it takes where a value is missing or does not fit', () => {
    refused('0 values are given; it is setFee <fee: uint256>', 'setFee')
    refused('2 values are given', 'setFee', '1', '2')
    for (const fee of ['-1', '1.5', '0x10', '1e3', '', '01', 'nine', '9'.repeat(79)])
      refused('must be', 'setFee', fee)
    refused('an address', 'addToken', '2', '0x12', '1', '1')
    refused('true or false', 'addEscapeShape', '1', ADDRESS, ZeroHash, 'yes', 'x')
    refused('32 bytes', 'addEscapeShape', '1', ADDRESS, '0x12', 'false', 'x')
    refused('give --of', 'grantRole', 'OPERATOR', ADDRESS)
    refused('bytes in hexadecimal', 'setWorlds', 'xyz')
    refused('JSON', 'setTiming', 'soon')
    refused('these fields and no other', 'setTiming', '{"maxAge":1}')
    expect(() => changeCall('grantRole', ['LISTER', ADDRESS], 'house')).toThrow(
      'OPERATOR, ORACLE, GUARDIAN',
    )
    expect(() => changeCall('setFee', ['1'], 'oracle')).toThrow('give --of')
  })

  it('encodes lists, structs, roles, files and text', () => {
    const file = join(folder, 'worlds.json')
    writeFileSync(file, '{}')
    const says = (name: string, values: string[], of?: 'house' | 'oracle' | 'lock') =>
      changeCall(name, values, of).says
    expect(says('setSigners', [`${ADDRESS},${`0x${'bb'.repeat(20)}`}`, '2', '2'])).toMatch(
      /quorum "2"/,
    )
    expect(says('setSigners', [`["${ADDRESS}"]`, '1', '1'])).toContain('signers ["0x')
    expect(says('setWorlds', [`@${file}`])).toBe('setWorlds(document "0x7b7d")')
    // Whoever reads the list must see whose power is given away, not a hash.
    expect(says('grantRole', ['OPERATOR', ADDRESS], 'house')).toContain('role OPERATOR, account')
    expect(says('revokeRole', [keccakOf('PROPOSER_ROLE'), ADDRESS], 'lock')).toContain(
      'role PROPOSER_ROLE,',
    )
    expect(says('grantRole', [ZeroHash, ADDRESS], 'lock')).toContain('role DEFAULT_ADMIN_ROLE,')
    const unknown = `0x${'77'.repeat(32)}`
    expect(says('grantRole', [unknown, ADDRESS], 'house')).toContain(`role "${unknown}"`)
    refused('a file that can be read: there is none at', 'setWorlds', `@${file}.gone`)
    const timing = {
      maxAge: 120,
      confirmWindow: 2,
      agreementDelay: 3,
      settlementWindow: 4,
      challengeDelay: 5,
    }
    expect(says('setTiming', [JSON.stringify(timing)])).toContain('["120","2","3","4","5"]')
    const band = { band: 1, jumpBand: 2, feedBand: 3, feedMaxAge: 4, feed: ADDRESS }
    expect(says('setBand', ['1', JSON.stringify(band)])).toContain('["1","2","3","4","0x')
    expect(() =>
      changeCall('setTiming', [
        JSON.stringify({ ...timing, maxAge: 1n << 32n > 0n ? 4294967296 : 0 }),
      ]),
    ).toThrow('does not fit its type')
  })
})

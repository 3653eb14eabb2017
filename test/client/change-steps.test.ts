/** Sealing, announcing, carrying out, cancelling, by the command line against a real lock on L1. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { id as keccakOf, ZeroHash } from 'ethers'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { accountsOf } from '../../client/l1/ethers.ts'
import { now, provider, send, setTime, TERMS } from '../contracts/l1.ts'
import { createSealed, createUnsealed, DELAY, LIFE, type SealedWorld } from '../contracts/sealed.ts'
import { bridgeL1 } from './bridge.ts'
import { cloister } from './command.ts'

const JUNK = 'test test test test test test test test test test test junk'
const folder = mkdtempSync(join(tmpdir(), 'cloister-changes-'))
const { url, close } = await bridgeL1()
afterAll(() => {
  close()
  rmSync(folder, { recursive: true, force: true })
})
const DAY = 86_400n
/** Keys of the chain's accounts, in files, by address. */
const keys = new Map(
  accountsOf(JUNK, 20).map(({ address, key }, i) => {
    const path = join(folder, `${i}.key`)
    writeFileSync(path, `${key}\n`, { mode: 0o600 })
    return [address.toLowerCase(), path] as const
  }),
)
const keyOf = (address: string): string => keys.get(address.toLowerCase()) ?? 'none'

let world: SealedWorld
const house = () => ['--rpc', url, '--contract', world.address]
async function run(...argv: readonly string[]) {
  const ran = await cloister('changes', ...argv, ...house(), '--json')
  return { code: ran.code, json: JSON.parse(ran.out) as Record<string, unknown> }
}
const by = (address: string, ...argv: readonly string[]) =>
  run(...argv, '--key-file', keyOf(address), '--yes')
const stateOf = async (id: unknown) =>
  ((await run()).json['changes'] as { id: string; state: string }[]).find((one) => one.id === id)
    ?.state
const blocks = () => provider.getBlockNumber()
const FEE = ['announce', 'setFee', '9'] as const

describe('before the seal', () => {
  beforeEach(async () => {
    world = await createUnsealed()
  })

  it("nothing is announced, and the seal is the admin's, once, for good", async () => {
    const early = await by(world.founder, ...FEE)
    expect(early).toMatchObject({ code: 1, json: { rule: 'HouseMustBeSealed' } })
    for (const other of [world.guardian, world.stranger])
      expect(await by(other, 'seal')).toMatchObject({
        code: 1,
        json: { rule: 'SenderMustHaveRole' },
      })
    const dry = await run('seal', '--key-file', keyOf(world.founder))
    expect(dry).toMatchObject({ code: 0, json: { outcome: 'ready', transaction: null } })
    expect(await world.cloister.getFunction('isSealed')()).toBe(false)
    expect(await by(world.founder, 'seal')).toMatchObject({ code: 0, json: { outcome: 'sent' } })
    expect(await world.cloister.getFunction('isSealed')()).toBe(true)
    // Asked by whoever, it is so already; nobody is admin any more.
    expect(await by(world.stranger, 'seal')).toMatchObject({
      code: 0,
      json: { outcome: 'already' },
    })
    expect(await by(world.founder, ...FEE)).toMatchObject({ code: 0, json: { outcome: 'sent' } })
  })
})

describe('a change', () => {
  beforeEach(async () => {
    world = await createSealed()
  })

  it('is announced, waited for, and carried out by anybody, once', async () => {
    const made = await by(world.founder, ...FEE)
    const at = await now()
    expect(made).toMatchObject({
      code: 0,
      json: { outcome: 'sent', says: 'setFee(fee "9")', warning: null },
    })
    const { id, dueAt, lapsesAt, leaveBy } = made.json as Record<string, string>
    expect([dueAt, lapsesAt, leaveBy]).toEqual(
      [at + DELAY, at + DELAY + LIFE, at + DELAY - TERMS.forceDelay - TERMS.tableDelay].map(String),
    )
    expect(await stateOf(id)).toBe('waiting')
    const early = await by(world.stranger, 'execute', id!)
    expect(early).toMatchObject({ code: 1, json: { rule: 'ChangeMustBeDue' } })
    await setTime(at + DELAY - 2n)
    await provider.send('evm_mine', [])
    expect((await by(world.stranger, 'execute', id!)).json['rule']).toBe('ChangeMustBeDue')
    await setTime(at + DELAY)
    await provider.send('evm_mine', [])
    expect(await by(world.stranger, 'execute', id!)).toMatchObject({
      code: 0,
      json: { outcome: 'sent' },
    })
    expect(await world.cloister.getFunction('nextFee')()).toBe(9n)
    const before = await blocks()
    expect(await by(world.stranger, 'execute', id!)).toMatchObject({
      code: 0,
      json: { outcome: 'already' },
    })
    expect(await by(world.guardian, 'cancel', id!)).toMatchObject({
      code: 1,
      json: { rule: 'ChangeMustNotBeDone' },
    })
    // Made once, it is not made again by the same words.
    expect(await by(world.founder, ...FEE)).toMatchObject({
      code: 1,
      json: { rule: 'SaltMustBeNew' },
    })
    expect(await blocks()).toBe(before)
    const again = await by(world.founder, ...FEE, '--salt', `0x${'01'.repeat(32)}`)
    expect(again).toMatchObject({ code: 0, json: { outcome: 'sent' } })
    expect(again.json['id']).not.toBe(id)
    // With another salt, carried out as it was announced.
    await setTime((await now()) + DELAY)
    await provider.send('evm_mine', [])
    expect(await by(world.stranger, 'execute', String(again.json['id']))).toMatchObject({ code: 0 })
  })

  it('is announced by the proposer alone', async () => {
    const before = await blocks()
    for (const other of [world.guardian, world.stranger, world.operator])
      expect(await by(other, ...FEE)).toMatchObject({
        code: 1,
        json: { rule: 'SenderMustHaveRole' },
      })
    expect(await blocks()).toBe(before)
  })

  it('announced twice is announced once, and its day stays', async () => {
    const first = await by(world.founder, ...FEE)
    await setTime((await now()) + 5n * DAY)
    await provider.send('evm_mine', [])
    const before = await blocks()
    for (const more of [[], ['--salt', ZeroHash]]) {
      const second = await by(world.founder, ...FEE, ...more)
      expect(second).toMatchObject({
        code: 0,
        json: { outcome: 'already', id: first.json['id'], dueAt: first.json['dueAt'] },
      })
    }
    expect(await blocks()).toBe(before)
    // Another value is another change.
    expect(await by(world.founder, 'announce', 'setFee', '8')).toMatchObject({
      json: { outcome: 'sent' },
    })
  })

  it('is cancelled by the guardian or the proposer, and by nobody else', async () => {
    for (const who of [world.guardian, world.founder]) {
      const id = String((await by(world.founder, ...FEE)).json['id'])
      const other = await by(world.stranger, 'cancel', id)
      expect(other).toMatchObject({ code: 1, json: { rule: 'SenderMustHaveRole' } })
      expect(await by(who, 'cancel', id)).toMatchObject({ code: 0, json: { outcome: 'sent' } })
      expect(await by(world.stranger, 'cancel', id)).toMatchObject({
        code: 0,
        json: { outcome: 'already' },
      })
      await setTime((await now()) + DELAY)
      await provider.send('evm_mine', [])
      const late = await by(world.stranger, 'execute', id)
      expect(late).toMatchObject({ code: 1, json: { rule: 'ChangeMustBeAnnounced' } })
    }
  })

  it('lapses, and is announced again with its whole delay', async () => {
    const first = await by(world.founder, ...FEE)
    const id = String(first.json['id'])
    await setTime((await now()) + DELAY + LIFE + 1n)
    await provider.send('evm_mine', [])
    const late = await by(world.stranger, 'execute', id)
    expect(late).toMatchObject({ code: 1, json: { rule: 'ChangeMustNotHaveLapsed' } })
    expect(await by(world.guardian, 'cancel', id)).toMatchObject({ json: { outcome: 'already' } })
    const again = await by(world.founder, ...FEE)
    expect(again).toMatchObject({ code: 0, json: { outcome: 'sent', id } })
    expect(again.json['dueAt']).toBe(String((await now()) + DELAY))
  })

  it('is not sent without --yes, nor without a key', async () => {
    const before = await blocks()
    const dry = await run(...FEE, '--key-file', keyOf(world.founder))
    expect(dry).toMatchObject({ code: 0, json: { outcome: 'ready', transaction: null } })
    expect((await run(...FEE)).json).toMatchObject({ outcome: 'ready', from: null })
    expect(await run(...FEE, '--yes')).toMatchObject({ code: 2 })
    const said = await cloister('changes', ...FEE, ...house())
    expect(said.out).toContain('NOTHING WAS SENT: --yes sends it')
    expect(said.out).toContain('tried       no: no key was given')
    expect(await blocks()).toBe(before)
  })

  it('that would be refused is not announced by mistake', async () => {
    const bad = ['announce', 'setFee', String(1n << 40n)] as const
    const refused = await by(world.founder, ...bad)
    expect(refused).toMatchObject({ code: 1, json: { rule: 'CallMustSucceed' } })
    expect(String(refused.json['message'])).toContain('FeeMustBeInRange')
    const admin = await by(
      world.founder,
      'announce',
      'grantRole',
      ZeroHash,
      world.founder,
      '--of',
      'house',
    )
    expect(String(admin.json['message'])).toContain('AdminMustBeLock')
    const later = await by(world.founder, ...bad, '--for-later')
    expect(later).toMatchObject({ code: 0, json: { outcome: 'sent' } })
    expect(String(later.json['warning'])).toContain('FeeMustBeInRange')
    await setTime((await now()) + DELAY)
    await provider.send('evm_mine', [])
    const id = String(later.json['id'])
    expect(await by(world.stranger, 'execute', id)).toMatchObject({
      code: 1,
      json: { rule: 'FeeMustBeInRange' },
    })
  })

  it('announced in a batch by another program is carried out as a batch', async () => {
    const [one, two] = [7n, 8n].map((fee) =>
      world.cloister.interface.encodeFunctionData('setFee', [fee]),
    )
    const given = [[world.address, world.address], [0n, 0n], [one, two], ZeroHash, keccakOf('salt')]
    await send(world.founder, world.lock, 'scheduleBatch', ...given, DELAY)
    const id: string = await world.lock.getFunction('hashOperationBatch')(...given)
    // The same call within a batch is not the same change.
    expect(await by(world.founder, 'announce', 'setFee', '7')).toMatchObject({
      json: { outcome: 'sent' },
    })
    await setTime((await now()) + DELAY)
    await provider.send('evm_mine', [])
    expect(await by(world.stranger, 'execute', id)).toMatchObject({
      code: 0,
      json: { outcome: 'sent' },
    })
    expect(await world.cloister.getFunction('nextFee')()).toBe(8n)
  })

  it('waits for what it was announced to follow', async () => {
    const first = await by(world.founder, ...FEE)
    const data = world.cloister.interface.encodeFunctionData('setFee', [10n])
    const given = [world.address, 0n, data, first.json['id'], ZeroHash]
    await send(world.founder, world.lock, 'schedule', ...given, DELAY)
    const id: string = await world.lock.getFunction('hashOperation')(...given)
    await setTime((await now()) + DELAY)
    await provider.send('evm_mine', [])
    expect(await by(world.stranger, 'execute', id)).toMatchObject({
      code: 1,
      json: { rule: 'PredecessorMustBeDone' },
    })
    await by(world.stranger, 'execute', String(first.json['id']))
    expect(await by(world.stranger, 'execute', id)).toMatchObject({
      code: 0,
      json: { outcome: 'sent' },
    })
  })

  it('reaches no frozen house', async () => {
    await setTime((await now()) + TERMS.batchDelay + 1n)
    await send(world.stranger, world.cloister, 'freeze', 3n, 0n)
    expect(await world.cloister.getFunction('isFrozen')()).toBe(true)
    expect(await by(world.founder, ...FEE)).toMatchObject({
      code: 1,
      json: { rule: 'HouseMustNotBeFrozen' },
    })
  })

  it('of nothing is refused by name', async () => {
    const id = `0x${'ab'.repeat(32)}`
    for (const step of ['execute', 'cancel'])
      expect(await by(world.founder, step, id)).toMatchObject({
        code: 1,
        json: { rule: 'ChangeMustBeAnnounced' },
      })
    expect((await by(world.founder, 'execute', '0x12')).code).toBe(2)
  })
})

describe('what is said of a step', () => {
  beforeEach(async () => {
    world = await createSealed()
  })

  it('is how the change stands after it, and before it where nothing is sent', async () => {
    const id = String((await by(world.founder, ...FEE)).json['id'])
    const stated = (made: { json: Record<string, unknown> }) =>
      (made.json['change'] as { state: string }).state
    expect(stated(await run('cancel', id, '--key-file', keyOf(world.guardian)))).toBe('waiting')
    expect(stated(await by(world.guardian, 'cancel', id))).toBe('cancelled')
    await by(world.founder, ...FEE)
    await setTime((await now()) + DELAY)
    await provider.send('evm_mine', [])
    expect(stated(await run('execute', id))).toBe('due')
    expect(stated(await by(world.stranger, 'execute', id))).toBe('done')
  })

  it('counts a change that waits for another as another', async () => {
    const data = world.cloister.interface.encodeFunctionData('setFee', [9n])
    const never = keccakOf('what nobody announces')
    const given = [world.address, 0n, data, never, keccakOf('salt')]
    await send(world.founder, world.lock, 'schedule', ...given, DELAY)
    expect(await by(world.founder, ...FEE)).toMatchObject({ json: { outcome: 'sent' } })
  })

  it('has a file where the user is, not where npm run has gone', async () => {
    writeFileSync(join(folder, 'here.json'), '{}')
    const names = ['npm_lifecycle_event', 'INIT_CWD'] as const
    const before = names.map((name) => process.env[name])
    Object.assign(process.env, { npm_lifecycle_event: 'cloister', INIT_CWD: folder })
    try {
      expect(await run('announce', 'setWorlds', '@here.json')).toMatchObject({
        code: 0,
        json: { says: 'setWorlds(document "0x7b7d")' },
      })
    } finally {
      names.forEach((name, i) => {
        if (before[i] === undefined) delete process.env[name]
        else process.env[name] = before[i]
      })
    }
  })
})

describe('the guardian', () => {
  it('pauses and unpauses, and is asked for once', async () => {
    world = await createSealed()
    expect(await by(world.founder, 'pause')).toMatchObject({
      code: 1,
      json: { rule: 'SenderMustHaveRole' },
    })
    for (const [step, isPaused] of [
      ['pause', true],
      ['unpause', false],
    ] as const) {
      expect(await by(world.guardian, step)).toMatchObject({ code: 0, json: { outcome: 'sent' } })
      expect(await world.cloister.getFunction('isPaused')()).toBe(isPaused)
      expect(await by(world.guardian, step)).toMatchObject({
        code: 0,
        json: { outcome: 'already' },
      })
    }
  })
})

describe('a key', () => {
  it('comes from a file of its owner alone or from the environment, never by an option', async () => {
    world = await createSealed()
    const file = keyOf(world.founder)
    chmodSync(file, 0o640)
    const open = await by(world.founder, ...FEE)
    chmodSync(file, 0o600)
    expect(open).toMatchObject({ code: 2 })
    expect(String(open.json['message'])).toContain('chmod 600')
    const broken = join(folder, 'broken.key')
    writeFileSync(broken, `0x${'1234'.repeat(4)}`, { mode: 0o600 })
    const said = await run(...FEE, '--key-file', broken, '--yes')
    expect(String(said.json['message'])).toContain('64 hexadecimal digits')
    expect(String(said.json['message'])).not.toContain('1234'.repeat(4))
    expect((await run(...FEE, '--key', `0x${'11'.repeat(32)}`)).code).toBe(2)
    process.env['CLOISTER_L1_KEY'] = accountsOf(JUNK, 1)[0]!.key
    expect(await run(...FEE, '--yes')).toMatchObject({ code: 0, json: { outcome: 'sent' } })
    // Whatever is started after it inherits nothing.
    expect(process.env['CLOISTER_L1_KEY']).toBeUndefined()
  })
})

describe('a verifier that a ceremony exported', () => {
  it('is deployed by its hash, and added by an announced change', async () => {
    world = await createSealed()
    const file = join(folder, 'VerifierTiny.sol')
    const source =
      'pragma solidity ^0.8.28;\ncontract VerifierTiny { function ok() external pure returns (bool) { return true; } }\n'
    writeFileSync(file, `// SPDX-License-Identifier: GPL-3.0\n${source}`)
    const ask = async (...more: readonly string[]) => {
      const ran = await cloister('ceremony', 'deploy', file, '--rpc', url, '--json', ...more)
      return { code: ran.code, json: JSON.parse(ran.out) as Record<string, unknown> }
    }
    const before = await blocks()
    const dry = await ask()
    expect(dry).toMatchObject({ code: 0, json: { outcome: 'ready', address: null } })
    expect((await ask('--yes')).code).toBe(2)
    expect(await blocks()).toBe(before)
    const made = await ask('--key-file', keyOf(world.stranger), '--yes')
    expect(made).toMatchObject({ code: 0, json: { outcome: 'sent', sha256: dry.json['sha256'] } })
    const address = String(made.json['address'])
    expect(await provider.getCode(address)).not.toBe('0x')
    const shape = [
      'addShape',
      '9',
      '3',
      '2',
      '1',
      '2',
      address,
      `0x${'22'.repeat(32)}`,
      'false',
      'tiny',
    ]
    // A verifier that is not there yet is no verifier.
    const absent = shape.map((word) => (word === address ? `0x${'12'.repeat(20)}` : word))
    const refused = await by(world.founder, 'announce', ...absent)
    expect(String(refused.json['message'])).toContain('VerifierMustBeContract')
    const id = String((await by(world.founder, 'announce', ...shape)).json['id'])
    await setTime((await now()) + DELAY)
    await provider.send('evm_mine', [])
    await by(world.stranger, 'execute', id)
    expect((await world.cloister.getFunction('shapes')(9n)).verifier).toBe(address)
  })
})

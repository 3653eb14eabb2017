/** Signers and collector as the processes that operators run, on the recorded day. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ethers } from 'ethers'
import { afterAll, expect, test } from 'vitest'
import { configureOracle, DEFAULT_BAND, DEFAULT_TIMING } from '../../oracle/collector/configure.ts'
import { INSTRUMENTS } from '../../oracle/day-2020-03-12.ts'
import { addressOfKey } from '../../oracle/signer/report.ts'
import { STANDARD_SET } from '../../oracle/worlds.ts'
import { verifyTable } from '../../oracle/verify/verify.ts'
import {
  configuration,
  deploy,
  deployCloister,
  now,
  provider,
  send,
  setTime,
} from '../contracts/l1.ts'
import { KEYS } from '../contracts/oracle-world.ts'
import { startRpc } from './rpc.ts'

const keys = KEYS.slice(0, 3)
const children: ChildProcess[] = []
const rpc = await startRpc()
afterAll(() => {
  for (const child of children) child.kill()
  rpc.close()
})

function start(file: string, args: readonly string[], env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let out = ''
  let err = ''
  child.stderr.on('data', (part: Buffer) => {
    err += part.toString()
  })
  const firstLine = new Promise<string>((done, fail) => {
    child.stdout.on('data', (part: Buffer) => {
      out += part.toString()
      if (out.includes('\n')) done(out.split('\n')[0] as string)
    })
    child.on('exit', () => fail(new Error(`${file} ended: ${err}`)))
  })
  const ended = new Promise<{ code: number | null; lines: Record<string, unknown>[]; err: string }>(
    (done) =>
      child.on('close', (code) =>
        done({
          code,
          err,
          lines: out
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as never),
        }),
      ),
  )
  firstLine.catch(() => {})
  return { firstLine, ended }
}

const machineTime = () => BigInt(Math.floor(Date.now() / 1000))
/** Seconds by which the chain is ahead of the machine. */
const ahead = async () => (await now()) - machineTime()

test('three signers and a collector bring the table of a recorded hour to L1', async () => {
  const [admin] = (await provider.send('eth_accounts', [])) as string[]
  const cloister = await deployCloister(await configuration())
  const oracle = await deploy('TableOracle', await cloister.getAddress(), admin)
  const contract = await oracle.getAddress()
  await send(admin!, cloister, 'grantRole', await cloister.getFunction('ORACLE')(), contract)
  if ((await ahead()) < 0n) await setTime(machineTime())
  const startedAt = Number(await now())
  await configureOracle(contract, await provider.getSigner(admin), {
    signers: keys.map(addressOfKey).reverse(),
    quorum: 2,
    largeQuorum: 3,
    timing: DEFAULT_TIMING,
    underlyings: [
      { name: 'BTC', band: DEFAULT_BAND },
      { name: 'ETH', band: DEFAULT_BAND },
    ],
    worlds: STANDARD_SET,
    instruments: INSTRUMENTS,
    expiryOnL1: (time) => startedAt + Math.ceil((time - Date.UTC(2020, 2, 12, 4) / 1000) / 240),
  })
  const folder = mkdtempSync(join(tmpdir(), 'cloister-processes-'))
  const token = 'shown by the collector'
  const signers = await Promise.all(
    keys.map(async (key, i) => {
      const args = [
        '--recorded',
        contract,
        '--start',
        String(startedAt),
        '--port',
        '0',
        '--memory',
        join(folder, `memory-${i}`),
        // With a view of L1 the first ones look at what is listed before they sign.
        ...(i < 2 ? ['--rpc', rpc.url] : []),
      ]
      const { firstLine } = start('oracle/signer/main.ts', args, {
        CLOISTER_SIGNER_KEY: key.privateKey,
        CLOISTER_SIGNER_TOKEN: token,
      })
      const { signer, url } = JSON.parse(await firstLine) as { signer: string; url: string }
      expect(signer).toBe(addressOfKey(key))
      return { url, address: signer, token }
    }),
  )
  const file = join(folder, 'signers.json')
  writeFileSync(file, JSON.stringify(signers), { mode: 0o600 })
  const payer = ethers.Wallet.createRandom()
  await provider.send('hardhat_setBalance', [payer.address, '0xde0b6b3a7640000'])
  // The signers go by the clock of the machine, and so must this chain while they are asked.
  let isLive = true
  const living = (async () => {
    while (isLive) {
      // A transaction may take that second first.
      if ((await ahead()) < 0n) await setTime(machineTime()).catch(() => {})
      await sleep(200)
    }
  })()
  while ((await ahead()) < -2n || (await ahead()) > 10n) await sleep(50)
  // Processes of a crowded machine may take long for their first table.
  const collect = (patience = '300') =>
    start(
      'oracle/collector/main.ts',
      [
        '--rpc',
        rpc.url,
        '--contract',
        contract,
        '--signers',
        file,
        '--patience',
        patience,
        '--once',
      ],
      { CLOISTER_COLLECTOR_KEY: payer.privateKey },
    ).ended
  for (const bad of ['0', '1000', '10s'])
    expect(await collect(bad)).toMatchObject({
      code: 2,
      lines: [],
      err: `collector: --patience must be a whole number from 1 to 999, not "${bad}"\n`,
    })
  // One whose round took more than a minute is told that its time is past, and comes again.
  let first = await collect()
  while (/Time(MustBeNow|MustBeFresh)/.test(String(first.lines[0]?.['why'])))
    first = await collect()
  expect(first.err).toBe('')
  expect(first.lines).toMatchObject([
    { event: 'posted', number: '1', isConfirmed: false, answers: ['signed', 'signed', 'signed'] },
  ])
  expect(first.code).toBe(3)
  isLive = false
  await living
  const verified = await verifyTable({ provider, contract })
  expect(verified).toMatchObject({ holds: true, number: 1n, isConfirmed: false, rowCount: 16 })
  expect(verified.notes.join()).toContain('a recorded one is replayed')
  // The collector has ended; another process goes on with what it left open, on L1 alone.
  const { time } = (await oracle.getFunction('latest')()) as { time: bigint }
  await setTime(time + 60n)
  await provider.send('evm_mine', [])
  const second = await collect()
  // A minute of the replay is four hours of the day: the signers are asked, and no longer agree.
  expect(second.lines[0]).toMatchObject({ event: 'unconfirmed', number: '1' })
})

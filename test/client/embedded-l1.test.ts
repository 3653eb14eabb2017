/** The chain that `cloister up` keeps: the same blocks after every start, and nothing that its log does not know. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { JsonRpcProvider, Wallet } from 'ethers'
import { ChainLog, ChainLogError } from '../../client/up/chain-log.ts'
import { Worker } from '../../client/day/processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloister-chain-'))
const wallet = new Wallet(`0x${'0e'.repeat(32)}`)
const started: Worker[] = []
afterEach(async () => {
  const running = started.splice(0)
  for (const worker of running) worker.kill()
  await Promise.all(running.map(({ ended }) => ended))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(log: string) {
  const worker = new Worker('l1', 'client/up/l1-process.ts', [], {
    CLOISTER_L1: JSON.stringify({ log, port: 0 }),
  })
  started.push(worker)
  const { url } = (await worker.ready) as { readonly url: string }
  const ask = async (method: string, ...params: readonly unknown[]): Promise<unknown> => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    const { result, error } = (await answer.json()) as {
      result?: unknown
      error?: { message: string }
    }
    if (error !== undefined) throw new Error(error.message)
    return result
  }
  const hashOf = async (number: number): Promise<unknown> =>
    ((await ask('eth_getBlockByNumber', `0x${number.toString(16)}`, false)) as { hash: string })
      .hash
  return { worker, url, ask, hashOf }
}

describe('a chain made from its log', () => {
  it('is the same to the last block after kill -9, and goes on', async () => {
    const log = join(folder, 'same.chain')
    const first = await start(log)
    await first.ask('hardhat_setBalance', wallet.address, '0xde0b6b3a7640000')
    // Without a cache: a count from before the first transaction would be the nonce of the second.
    const still = { pollingInterval: 20, cacheTimeout: -1 }
    const provider = new JsonRpcProvider(first.url, undefined, still)
    const sender = wallet.connect(provider)
    for (const value of [1n, 2n])
      await (await sender.sendTransaction({ to: wallet.address, value })).wait()
    await first.ask('evm_mine')
    provider.destroy()
    const count = Number(await first.ask('eth_blockNumber'))
    expect(count).toBe(4)
    const hashes = await Promise.all([0, 1, 2, 3, 4].map(first.hashOf))
    const balance = await first.ask('eth_getBalance', wallet.address, 'latest')
    first.worker.kill()
    await first.worker.ended
    const stopped = Math.floor(Date.now() / 1000)
    const second = await start(log)
    expect(await Promise.all([0, 1, 2, 3, 4].map(second.hashOf))).toEqual(hashes)
    expect(await second.ask('eth_getBalance', wallet.address, 'latest')).toBe(balance)
    // A block of now: the clock has gone on meanwhile.
    expect(Number(await second.ask('eth_blockNumber'))).toBe(5)
    const { timestamp } = (await second.ask('eth_getBlockByNumber', 'latest', false)) as {
      timestamp: string
    }
    expect(Number(timestamp)).toBeGreaterThanOrEqual(stopped)
    // Blocks of one second are a second apart: the five of this chain may be ahead.
    expect(Number(timestamp)).toBeLessThanOrEqual(Date.now() / 1000 + 5)
    expect(Number(await second.ask('eth_getTransactionCount', wallet.address, 'latest'))).toBe(2)
  })

  it('ends no connection by itself: who asks over it at that moment would be told nothing', async () => {
    const { url } = await start(join(folder, 'kept.chain'))
    const { status, headers } = await fetch(url, { method: 'POST', body: '{}' })
    expect([status, headers.get('connection'), headers.get('keep-alive')]).toEqual([
      200,
      'keep-alive',
      null,
    ])
  })

  it('takes no step that its log could not repeat', async () => {
    const log = join(folder, 'steps.chain')
    const { ask } = await start(log)
    const before = readFileSync(log, 'utf8')
    for (const [method, ...params] of [
      ['evm_increaseTime', 60],
      ['evm_snapshot'],
      ['evm_revert', '0x1'],
      ['hardhat_reset'],
      ['hardhat_setCode', wallet.address, '0x00'],
      ['eth_sendTransaction', { from: wallet.address, to: wallet.address }],
      ['anvil_setBalance', wallet.address, '0x1'],
    ] as const)
      await expect(ask(method, ...params)).rejects.toThrow(
        `${method} is not known to the embedded L1`,
      )
    await expect(ask('eth_sendRawTransaction', '0x00')).rejects.toThrow(
      'must be one that is signed',
    )
    const early = await wallet.signTransaction({
      to: wallet.address,
      nonce: 1,
      gasLimit: 21_000,
      gasPrice: 10n ** 10n,
      chainId: 31337,
    })
    await expect(ask('eth_sendRawTransaction', early)).rejects.toThrow('the nonce must be 0, not 1')
    expect(readFileSync(log, 'utf8')).toBe(before)
  })
})

describe('the log', () => {
  const path = join(folder, 'a.chain')
  const step = { time: 7, method: 'evm_mine', params: [] }
  const now = new Date('2026-03-12T04:00:00.000Z')

  it('has what was appended, in order, and cuts what was torn off at every byte', () => {
    const log = ChainLog.open(path, now)
    for (let time = 0; time < 3; time++) log.append({ ...step, time })
    log.close()
    const bytes = readFileSync(path)
    const last = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1
    for (let length = last; length < bytes.length; length++) {
      writeFileSync(path, bytes.subarray(0, length))
      const again = ChainLog.open(path, new Date())
      expect([again.steps.length, again.tornBytes]).toEqual([2, length - last])
      again.append({ ...step, time: 2 })
      again.close()
      expect(readFileSync(path).equals(bytes)).toBe(true)
    }
    const whole = ChainLog.open(path, new Date())
    expect([whole.start, whole.steps.map(({ time }) => time)]).toEqual([
      now.toISOString(),
      [0, 1, 2],
    ])
    whole.close()
  })

  it('has nothing of a step that found no room, and goes on when there is some', () => {
    const small = join(folder, 'small.chain')
    const child = (limit: string, steps: number) =>
      spawnSync('bash', ['-c', `ulimit -f ${limit}; exec "$0" "$@"`, process.execPath,
        '--import', 'tsx', join(import.meta.dirname, 'fill-log.ts'), small, String(steps)], {
        encoding: 'utf8' }) // prettier-ignore
    // Blocks of 1,024 bytes: a line of this length does not end with one.
    expect(child('4', 100).stdout).toContain('EFBIG')
    expect(readFileSync(small).length).toBeLessThan(4_096)
    expect(child('unlimited', 3).stdout).toBe('')
    const log = ChainLog.open(small, now)
    expect(log.tornBytes).toBe(0)
    expect(log.steps.length).toBeGreaterThan(5)
    log.close()
  })

  it('is refused where a byte has changed, a line is missing or twice, or two are exchanged', () => {
    const whole = readFileSync(path, 'utf8')
    const lines = whole.slice(0, -1).split('\n')
    const [a, b, c, d] = lines as [string, string, string, string]
    for (const changed of [
      [a, c, d],
      [a, b, b, c, d],
      [a, c, b, d],
      [b, c, d],
    ]) {
      writeFileSync(path, `${changed.join('\n')}\n`)
      expect(() => ChainLog.open(path, now)).toThrow(ChainLogError)
    }
    for (let at = 0; at < whole.length - 1; at += 7) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] as number) ^ 1
      writeFileSync(path, bytes)
      expect(() => ChainLog.open(path, now)).toThrow(/is damaged at line \d of 4/)
    }
    writeFileSync(path, '')
    expect(() => ChainLog.open(path, now)).toThrow('is empty')
  })
})

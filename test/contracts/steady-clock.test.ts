/** The clock of the tests' chain stands while the machine's goes on. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { now, provider, setTime } from './l1.ts'
import { steady } from './steady-clock.ts'

const mine = async () => {
  await provider.send('evm_mine', [])
  return now()
}

test('every block is one second after the one before, however long the machine took', async () => {
  const time = (await mine()) + 1_000n
  await setTime(time)
  await sleep(1_100)
  expect(await mine()).toBe(time + 1n)
  const kept = await provider.send('evm_snapshot', [])
  expect(await mine()).toBe(time + 2n)
  await setTime(time + 500n)
  await sleep(1_100)
  await provider.send('evm_revert', [kept])
  expect(await now()).toBe(time + 1n)
  expect(await mine()).toBe(time + 2n)
})

test('time is set forward for the next block alone', async () => {
  const time = await mine()
  await provider.send('evm_increaseTime', [60])
  await provider.send('evm_increaseTime', [40])
  expect(await mine()).toBe(time + 101n)
  expect(await mine()).toBe(time + 102n)
})

test('blocks that are asked for at once follow one another too', async () => {
  const time = await mine()
  await Promise.all([1, 2, 3].map(() => provider.send('evm_mine', [])))
  expect(await now()).toBe(time + 3n)
})

test('a time that is set is that of the next block alone, also of one that is mined by hand', async () => {
  const time = (await mine()) + 60n
  await provider.send('evm_setNextBlockTimestamp', [`0x${time.toString(16)}`])
  await provider.send('evm_setAutomine', [false])
  const [from] = (await provider.send('eth_accounts', [])) as string[]
  const hash = await provider.send('eth_sendTransaction', [{ from, to: from, value: '0x0' }])
  expect(await mine()).toBe(time)
  await provider.send('evm_setAutomine', [true])
  expect((await provider.getTransactionReceipt(hash))?.status).toBe(1)
  expect(await mine()).toBe(time + 1n)
})

test('of one that keeps up no block is behind the machine', async () => {
  let [time, next] = [1_000n, 0n]
  const { request, keepUp } = steady({
    request: async ({ method, params }) => {
      if (method === 'eth_getBlockByNumber') return { timestamp: `0x${time.toString(16)}` }
      if (method === 'evm_setNextBlockTimestamp') next = BigInt(params![0] as string)
      if (method === 'evm_mine') time = next
      return null
    },
  })
  const block = async () => {
    await request({ method: 'evm_mine' })
    return time
  }
  expect(await block()).toBe(1_001n)
  keepUp()
  const machine = BigInt(Math.floor(Date.now() / 1000))
  expect((await block()) >= machine).toBe(true)
  time = machine + 1_000n
  expect(await block()).toBe(machine + 1_001n)
})

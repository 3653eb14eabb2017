/**
 * The standing oracle as a process. Configuration comes as JSON in CLOISTER_ORACLE, keys by
 * environment. It posts a table at once where the last is old, and then at its own pace.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StandingOracle } from './standing-oracle.ts'

type Configuration = {
  readonly rpcUrl: string
  readonly oracle: string
  readonly tables: string
  readonly memory: string
  readonly everySeconds: number
}

function secret(name: string): string {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} is not set`)
  delete process.env[name]
  return value
}
const tell = (message: object): void => {
  process.send?.(JSON.stringify(message))
}

// From the first line on: a parent that ends while L1 is asked leaves nobody behind.
process.on('disconnect', () => process.exit(0))
if (process.connected === false) process.exit(0)

const { everySeconds, ...configuration } = JSON.parse(secret('CLOISTER_ORACLE')) as Configuration
const oracle = await StandingOracle.open({
  ...configuration,
  adminKey: secret('ADMIN_KEY'),
  payerKey: secret('COLLECTOR_KEY'),
  signerKeys: secret('SIGNER_KEYS').split(','),
})
let isStopped = false
const stopping = new AbortController()
process.on('message', ({ command }: { command: string }) => {
  if (command !== 'stop') return
  isStopped = true
  stopping.abort()
})

let isReady = false
while (!isStopped) {
  try {
    const { number, signatures } = await oracle.table()
    tell({ note: `table ${number} posted with ${signatures} of 5 signatures` })
    if (!isReady) tell({ ready: true, number })
    isReady = true
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    tell({ note: `no table this time: ${why}` })
  }
  const pause = isReady ? everySeconds * 1000 : 2_000
  await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {})
}
await oracle.close()
process.exit(0)

/** Processes of a house whose parent ends before they have begun: none of them is left behind. */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'cloister-parent-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const key = (byte: string): string => `0x${byte.repeat(32)}`
/** Nobody listens there. */
const rpcUrl = 'http://127.0.0.1:1'
const address = `0x${'11'.repeat(20)}`
const oracle = { rpcUrl, oracle: address, tables: folder, memory: folder, everySeconds: 600 }

it.each([
  ['client/up/l1-process.ts', { CLOISTER_L1: JSON.stringify({ log: `${folder}/chain`, port: 0 }) }],
  [
    'oracle/standing-process.ts',
    {
      CLOISTER_ORACLE: JSON.stringify(oracle),
      ADMIN_KEY: key('0a'),
      COLLECTOR_KEY: key('0b'),
      SIGNER_KEYS: ['01', '02', '03', '04', '05'].map(key).join(),
    },
  ],
  [
    'sequencer/main.ts',
    {
      CLOISTER_SEQUENCER: JSON.stringify({ rpcUrl, tables: folder, shapes: ['mini'] }),
      OPERATOR_KEY: key('0a'),
      ADMIN_KEY: key('0b'),
      FEE_ACCOUNT_VIEW_KEY: `0x${'0c'.repeat(31)}`,
    },
  ],
])('%s ends with a parent that it never saw', async (file, env) => {
  const child = fork(join(ROOT, file), [], {
    cwd: ROOT,
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  // What has to be loaded takes a second: its end of the channel is closed before that.
  child.disconnect()
  expect(await ended).toBe(0)
})

/** The processes of a day: whoever asks one that ends, or has ended, is told so. */
import { execFile, fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { ROOT, Worker } from '../../client/day/processes.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloister-worker-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const script = join(folder, 'child.ts')
writeFileSync(
  script,
  `process.on('message', ({ id, command }: { id: number; command: string }) => {
    if (command === 'end') process.exit(3)
    else process.send?.(JSON.stringify({ id, said: command }))
  })
  process.send?.(JSON.stringify({ ready: true }))`,
)
/** Each listens to its parent, and works for it alone. */
const PROCESSES = [
  'client/up/l1-process.ts',
  'client/day/member-process.ts',
  'oracle/day-process.ts',
  'oracle/standing-process.ts',
  'sequencer/main.ts',
]
const start = () => new Worker('child', relative(ROOT, script), [], {})

it('answers, and says that it ends to everybody who waits', async () => {
  const worker = start()
  await worker.ready
  expect(await worker.ask({ command: 'hello' })).toMatchObject({ said: 'hello' })
  await expect(worker.ask({ command: 'end' })).rejects.toThrow('child ended with code 3')
  expect(await worker.ended).toBe(3)
})

it('is asked after its end: an error, neither silence nor the end of who asks', async () => {
  const worker = start()
  await worker.ready
  worker.kill()
  await worker.ended
  await expect(worker.ask({ command: 'hello' })).rejects.toThrow('child is not there any more')
  await worker.stop()
})

it.each(PROCESSES)('whose parent has gone before it listens ends: %s', async (file) => {
  const child = fork(join(ROOT, file), [], {
    cwd: ROOT,
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, MEMBER_SEED: '5a'.repeat(32) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = new Promise((resolve) => child.once('exit', (...how) => resolve(how)))
  child.disconnect()
  expect(await ended).toEqual([0, null])
})

it('says nothing on the output of who started it, where the answer to --json stands', async () => {
  const child = join(folder, 'talking.ts')
  writeFileSync(child, "console.log('said by a library')\nprocess.send?.('{\"ready\":true}')\n")
  const parent = join(folder, 'parent.mts')
  const processes = pathToFileURL(join(ROOT, 'client', 'day', 'processes.ts')).href
  writeFileSync(
    parent,
    `import { Worker } from ${JSON.stringify(processes)}
    const worker = new Worker('child', ${JSON.stringify(relative(ROOT, child))}, [], {})
    await worker.ready
    worker.kill()
    await worker.ended
    console.log('the answer')`,
  )
  const run = promisify(execFile)(process.execPath, ['--import', 'tsx', parent], { cwd: ROOT })
  const { stdout, stderr } = await run
  expect(stdout).toBe('the answer\n')
  expect(stderr).toContain('said by a library\n')
})

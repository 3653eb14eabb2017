/** One process at a time, whoever dies with the lock in its hand. */
import { spawn } from 'node:child_process'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { ROOT } from '../../client/cli/root.ts'
import { tryLock } from '../../client/pid-lock.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloister-lock-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let path: string
let count = 0
beforeEach(() => (path = join(folder, `${count++}.lock`)))

const take = () => {
  const taken = tryLock(path)
  if (typeof taken !== 'function') throw new Error(`held by ${taken.heldBy}`)
  return taken
}

it('is held by one, who is named, and free again', () => {
  const release = take()
  expect(tryLock(path)).toEqual({ heldBy: process.pid })
  release()
  take()()
  expect(readdirSync(folder)).toEqual([])
})

it('of a process that is gone is taken over', () => {
  writeFileSync(path, '999999999 1\n')
  const release = take()
  expect(readFileSync(path, 'utf8')).toContain(`${process.pid} `)
  release()
})

it('that names no process is left alone', () => {
  writeFileSync(path, '')
  expect(tryLock(path)).toEqual({ heldBy: NaN })
})

it('that another has taken since is not given back', () => {
  const release = take()
  writeFileSync(path, '1 other\n')
  release()
  expect(readFileSync(path, 'utf8')).toBe('1 other\n')
})

it('is not held by two of many that find a dead one', async () => {
  const log = join(folder, 'log')
  const script = join(folder, 'worker.ts')
  appendFileSync(
    script,
    `import { appendFileSync, writeFileSync } from 'node:fs'
    import { tryLock } from ${JSON.stringify(join(ROOT, 'client/pid-lock.ts'))}
    for (let done = 0; done < 60; ) {
      const taken = tryLock(${JSON.stringify(path)})
      if (typeof taken !== 'function') continue
      appendFileSync(${JSON.stringify(log)}, 'in ' + process.pid + '\\n')
      appendFileSync(${JSON.stringify(log)}, 'out ' + process.pid + '\\n')
      // Every other time it dies in the midst, as far as the others can see.
      if (++done % 2 === 0) taken()
      else writeFileSync(${JSON.stringify(path)}, '999999999 ' + process.pid + ' ' + done + '\\n')
    }`,
  )
  const ends = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--import', 'tsx', script], {
      cwd: ROOT,
      stdio: 'inherit',
    })
    return new Promise((resolve) => child.once('exit', resolve))
  })
  expect(await Promise.all(ends)).toEqual([0, 0, 0, 0])
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  expect(lines).toHaveLength(4 * 60 * 2)
  for (let i = 0; i < lines.length; i += 2)
    expect(lines[i + 1]).toBe(lines[i]?.replace('in ', 'out '))
}, 60_000)

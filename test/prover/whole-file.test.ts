/** What several processes make at once in the cache. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeWholeFile } from '../../prover/whole-file.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'cloister-whole-'))))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const WRITER = `
import { writeWholeFile } from ${JSON.stringify(new URL('../../prover/whole-file.ts', import.meta.url).href)}
const [path, text] = process.argv.slice(-2)
for (let i = 0; i < 300; i++) writeWholeFile(path, JSON.stringify(text.repeat(100_000)))
`

test('a file that two processes write again and again is whole whenever it is read', async () => {
  const path = join(folder, 'made.json')
  const ends = ['a', 'b'].map((text) => {
    const args = ['--import', 'tsx', '--input-type=module', '-e', WRITER, '--', path, text]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    return new Promise((done) => child.on('exit', done))
  })
  let codes: readonly unknown[] | null = null
  void Promise.all(ends).then((all) => (codes = all))
  while (codes === null) {
    if (readdirSync(folder).includes('made.json'))
      expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveLength(100_000)
    await new Promise(setImmediate)
  }
  expect(codes).toEqual([0, 0])
  expect(readdirSync(folder)).toEqual(['made.json'])
  expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveLength(100_000)
})

test('where it cannot be put, nothing is left of it', () => {
  mkdirSync(join(folder, 'taken', 'by a folder'), { recursive: true })
  expect(() => writeWholeFile(join(folder, 'taken'), 'text')).toThrow('EISDIR')
  expect(readdirSync(folder)).toEqual(['taken'])
})

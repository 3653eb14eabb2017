/** What `npm start` can be told, and what it says of anything else. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parseDayOptions } from '../../client/day/options.ts'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'

it('are those of the help, with their defaults', () => {
  expect(parseDayOptions([])).toMatchObject({ json: false, stay: false, shape: 'small', port: 0 })
  expect(parseDayOptions(['--json', '--shape', 'mini', '--port', '65535'])).toMatchObject({
    json: true,
    shape: 'mini',
    port: 65_535,
  })
})

it.each([
  [['--port', 'abc'], '--port must'],
  [['--port', '65536'], '--port must'],
  [['--port', ''], '--port must'],
  [['--shape', 'huge'], '--shape must'],
  [['--josn'], '--josn'],
  [['now'], 'now'],
])('%j is none', (argv, words) => {
  expect(() => parseDayOptions(argv)).toThrow(words)
})

it('a mistake is one line and code 2, before anything is started', () => {
  const run = spawnSync(
    process.execPath,
    ['--import', 'tsx', join('client', 'day', 'run.ts'), '--josn'],
    { cwd: PROJECT_ROOT, encoding: 'utf8' },
  )
  expect(run.status).toBe(2)
  expect(run.stdout).toBe('')
  expect(run.stderr).toMatch(/^npm start: .*--josn.*\n$/)
})

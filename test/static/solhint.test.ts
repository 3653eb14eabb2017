/** solhint over the contracts with .solhint.json: no warning, no error. Skipped where it is absent. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'

const CLI = join(PROJECT_ROOT, 'node_modules', 'solhint', 'solhint.js')
const isInstalled = existsSync(CLI)
if (!isInstalled) console.log('solhint is not installed: the contracts are not linted here')

type Finding = {
  readonly filePath?: string
  readonly line?: number
  readonly ruleId?: string
  readonly message?: string
}

it.skipIf(!isInstalled)('the contracts have no finding', async () => {
  const args = [CLI, '--noPoster', '--disc', '-f', 'json', 'contracts/**/*.sol']
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: PROJECT_ROOT,
    maxBuffer: 1 << 24,
  }).catch((failed: { stdout: string }) => failed)
  const findings = stdout.trim() === '' ? [] : (JSON.parse(stdout) as readonly Finding[])
  const told = findings.flatMap(({ filePath, line, ruleId, message }) =>
    ruleId === undefined ? [] : [`${filePath}:${line} ${ruleId}: ${message}`],
  )
  expect(told).toEqual([])
})

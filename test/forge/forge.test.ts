/** The money under random calls by forge: a short run here, a million calls with CLOISTER_LONG=1. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { PROJECT_ROOT } from '../../prover/artifacts.ts'

const FORGE = join(PROJECT_ROOT, 'node_modules/@foundry-rs/forge-linux-amd64/bin/forge')
const isLong = process.env['CLOISTER_LONG'] === '1'
/** Three invariants, each with runs of 250 calls. */
const RUNS = isLong ? 1_400 : 8

test.skipIf(!existsSync(FORGE))(
  `forge: ${RUNS * 750} random calls keep the invariants`,
  async () => {
    const { stdout } = await promisify(execFile)(
      FORGE,
      ['test', '--root', '.', '--use', join(PROJECT_ROOT, 'test/forge/solc.mjs')],
      {
        cwd: PROJECT_ROOT,
        maxBuffer: 1 << 26,
        env: {
          ...process.env,
          FOUNDRY_CONFIG: join(PROJECT_ROOT, 'test/forge/foundry.toml'),
          FOUNDRY_INVARIANT_RUNS: String(RUNS),
          // The same calls in every run, so that none fails by chance; the long run draws others.
          ...(isLong ? {} : { FOUNDRY_FUZZ_SEED: '0x20200312' }),
        },
      },
    ).catch((error: { stdout?: string; stderr?: string }) => {
      throw new Error(`forge: ${error.stdout ?? ''}${error.stderr ?? ''}`)
    })
    expect(stdout).toMatch(/4 tests passed, 0 failed/)
    expect(stdout).toContain(`runs: ${RUNS}, calls: ${RUNS * 250}`)
  },
  3_600_000,
)

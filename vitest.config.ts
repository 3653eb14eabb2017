import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/chance.ts'],
    // A test that hangs is stopped; one that works has many times what it needs, on a crowded machine, too.
    testTimeout: process.env['CLOISTER_LONG'] ? 3_600_000 : 900_000,
    hookTimeout: 900_000,
    expect: { poll: { timeout: 300_000, interval: 10 } },
    pool: 'forks',
    maxWorkers: 2,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Witnesses and chains take seconds; a test that hangs is stopped all the same.
    testTimeout: process.env['CLOISTER_LONG'] ? 1_800_000 : 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})

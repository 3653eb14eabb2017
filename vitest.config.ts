import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Witnesses and chains take seconds; a test that hangs is stopped all the same.
    // They bound a hang and no work, which takes several times as long on a machine that is crowded.
    testTimeout: process.env['CLOISTER_LONG'] ? 3_600_000 : 900_000,
    hookTimeout: 900_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/support/global-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Each file brings its own Redis, database, API and worker, and waits a good part of its time.
    maxWorkers: 3,
  },
})

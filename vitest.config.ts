import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/support/global-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Each file brings its own Redis, database, API and worker; two cores take two of them at once.
    maxWorkers: 2,
  },
})

import { defineConfig } from 'vitest/config'

// Tests with many tasks, which `npm test` leaves out. One file after the other, because each uses all cores.
export default defineConfig({
  test: {
    include: ['tests/load/**/*.test.ts'],
    globalSetup: 'tests/support/global-setup.ts',
    testTimeout: 120_000,
    hookTimeout: 60_000,
    fileParallelism: false,
  },
})

import { defineConfig } from 'vitest/config'

// Tests of the built package, in a project that has installed it from the registry of this machine. They take
// minutes, so `npm test` leaves them out.
export default defineConfig({
  test: {
    include: ['tests/package/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts', 'tests/package/install-package.ts'],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    fileParallelism: false,
  },
})

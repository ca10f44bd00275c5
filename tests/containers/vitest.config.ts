import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/containers/*.test.ts'],
    globalSetup: 'tests/containers/support/global-setup.ts',
    // One stack for all of them: they take turns, and each leaves it as it found it.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/containers/*.test.ts'],
    globalSetup: 'tests/containers/support/global-setup.ts',
    // All files use one stack, so they run one after the other. Each file restores the state of the stack.
    fileParallelism: false,
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})

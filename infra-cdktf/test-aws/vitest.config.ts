import { defineConfig } from 'vitest/config'

// One file after the other: all use the processors fully, and a plan by the real provider takes 1 GB of
// memory.
export default defineConfig({
  test: {
    include: ['test-aws/*.test.ts'],
    testTimeout: 1_800_000,
    hookTimeout: 1_800_000,
    maxConcurrency: 3,
    fileParallelism: false,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/containers/**', 'tests/load/**', 'tests/package/**', 'tests/generators/**'],
    globalSetup: 'tests/support/global-setup.ts',
    // A busy machine can need ten times as long as a quiet one, on which the slowest test takes 20 s.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // More than the cores of a small machine: each file starts its own Redis, database, API and worker, and
    // spends much time waiting.
    maxWorkers: 6,
    execArgv: ['--max-semi-space-size=64'],
    // The modules hold no state, so test files may share a process. Loading the code again for each file took
    // a tenth of the whole run.
    isolate: false,
  },
})

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    exclude: ['tests/containers/**'],
    globalSetup: 'tests/support/global-setup.ts',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Each file brings its own Redis, database, API and worker, and waits a good part of its time.
    maxWorkers: 6,
    execArgv: ['--max-semi-space-size=64'],
    // Nothing of ours lives in a module, so files may share a process: loading the code anew for each took a tenth of all.
    isolate: false,
  },
})

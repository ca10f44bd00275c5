import { defineConfig } from 'vitest/config'

// Generators and linters of other makers on the OpenAPI document. `npm test` leaves them out, because they have
// packages of their own: `npm run test:generators` installs them.
export default defineConfig({
  test: {
    include: ['tests/generators/*.test.ts'],
    globalSetup: 'tests/support/global-setup.ts',
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
})

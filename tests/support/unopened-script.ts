// An isolated process whose project cannot be loaded: its services if the variable FAULT is `services`, otherwise its
// code.
import { ServicesError, serveAttempts } from '../../src/worker/isolated/serve-attempts.ts'

serveAttempts(async () => {
  if (process.env.FAULT === 'services') throw new ServicesError('the provider does not answer')
  throw new Error('the code is broken')
})

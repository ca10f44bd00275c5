// Isolated processes whose project cannot be loaded.
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { createPool, type Pool, StartError } from '../../src/worker/isolated/pool.ts'

const SCRIPT = fileURLToPath(new URL('../support/unopened-script.ts', import.meta.url))

let pool: Pool | undefined
afterEach(async () => {
  delete process.env.FAULT
  await pool?.stop()
})

async function startError(fault: string): Promise<StartError> {
  // The process inherits the environment.
  process.env.FAULT = fault
  const ignore = () => {}
  const options = {
    size: 1,
    isStartedAhead: false,
    onReady: ignore,
    onStartError: ignore,
    onIdleError: ignore,
  }
  pool = createPool({ script: SCRIPT, ...options })
  const error = await pool.take(new AbortController().signal).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(StartError)
  return error as StartError
}

test('services that cannot be opened are tried again: a later start may succeed', async () => {
  const { isTransient, message, stderr } = await startError('services')
  expect({ isTransient, message, stderr }).toEqual({
    isTransient: true,
    message: 'The isolated process could not be started: could not open the services of the project',
    stderr: 'the provider does not answer',
  })
})

test('code that cannot be loaded fails the attempt', async () => {
  const { isTransient, message, stderr } = await startError('code')
  expect({ isTransient, stderr }).toEqual({ isTransient: false, stderr: 'the code is broken' })
  expect(message).toContain('exited with code 1')
})

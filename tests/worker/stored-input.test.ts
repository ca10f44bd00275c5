// Inputs that were stored under an older schema, and are checked when an attempt begins.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from '../../src/store/drizzle.ts'
import { createIsolatedDefinitions, ISOLATED_SCRIPT } from '../support/isolated-definitions.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeAll(async () => {
  const isolated = createIsolatedDefinitions()
  const typed = isolated.filter(({ name }) => name === 'isolated_typed')
  system = await startSystem({
    worker: false,
    definitions: [...isolated, ...typed.map((each) => ({ ...each, name: 'typed', isolate: undefined }))],
  })
  system.startWorker({ queues: ['new'], isolated: { script: ISOLATED_SCRIPT, processes: 1 } })
})
afterAll(() => system.stop())

/** Submits a task and replaces its input by one of an older schema before it starts. */
async function runStored(name: string, stored: object) {
  const { id } = await system.submit(
    name,
    { email: 'ada@example.com' },
    { queue: 'new', delay_seconds: 3_600 },
  )
  await system.connections.database.query(
    sql`update tasks set input = ${JSON.stringify(stored)}::json, run_at = now() where id = ${id}`,
  )
  return system.taskWhenFinal(id)
}

test.each(['typed', 'isolated_typed'])('%s: a mismatch fails the task without retries', async (name) => {
  expect(await runStored(name, { mail: 'ada@example.com', copies: 'x' })).toMatchObject({
    status: 'FAILURE',
    attempt: 1,
    error: {
      name: 'InvalidInput',
      message:
        'The stored input does not match the schema of this version of the task: #/input/email: Invalid input: expected string, received undefined; #/input/copies: Invalid input: expected number, received string',
      retryable: false,
    },
  })
})

test.each(['typed', 'isolated_typed'])('%s: new defaults apply', async (name) => {
  expect(await runStored(name, { email: 'ada@example.com', old: 1 })).toMatchObject({
    status: 'SUCCESS',
    result: { email: 'ada@example.com', copies: 1 },
    input: { email: 'ada@example.com', old: 1 },
  })
})

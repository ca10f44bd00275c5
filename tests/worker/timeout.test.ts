// Timeouts of attempts.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ worker: { concurrency: 1 }, definitions: createTestDefinitions() })
})
afterAll(() => system.stop())

test('an attempt is aborted at its timeout and the task is retried', async () => {
  const task = await system.submit('sleep', { ms: 60_000 }, { timeout_seconds: 0.2, max_retries: 2 })
  const done = await system.taskWhenFinal(task.id)
  expect(done).toMatchObject({
    status: 'FAILURE',
    attempt: 3,
    failures: 3,
    error: { name: 'TimeoutError', message: 'Timed out: an attempt may take 0.2 s' },
  })
  expect(done.attempts.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
})

test('a handler that ignores its signal occupies its slot until it has returned', async () => {
  const ignoring = await system.submit('ignores_signal', { ms: 1_000 }, { timeout_seconds: 0.1 })
  await system.taskWhen(ignoring.id, ({ status }) => status === 'STARTED')
  const next = await system.submit('reverse', { text: 'ab' })
  const second = await system.taskWhenFinal(next.id)
  // With one slot the second task can only start after the first has returned. The late result of the first
  // is accepted. Its row is written while the second starts, therefore finished_at can be the later one.
  const first = await system.task(ignoring.id)
  expect(first).toMatchObject({ status: 'SUCCESS', attempt: 1, result: 1 })
  const startedAt = ({ started_at }: { started_at: string | null }) => Date.parse(started_at ?? '')
  expect(startedAt(second) - startedAt(first)).toBeGreaterThan(900)
})

test('the slot is free again after a timeout', async () => {
  const task = await system.submit('sleep', { ms: 60_000 }, { timeout_seconds: 0.1, max_retries: 0 })
  const next = await system.submit('reverse', { text: 'ab' })
  expect(await system.taskWhenFinal(next.id)).toMatchObject({ status: 'SUCCESS' })
  expect(await system.taskWhenFinal(task.id)).toMatchObject({ status: 'FAILURE', attempt: 1 })
  await until(
    async () => system.emitted('task.finished').length,
    (count) => count >= 6,
  )
})

// Which attempts run in a process.
import { expect, test } from 'vitest'
import { createRunningTasks } from '../src/worker/running-tasks.ts'

const attemptOf = (attempt: number) => ({
  id: '01900000-0000-7000-8000-000000000000',
  name: 'reverse',
  input: {},
  attempt,
  failures: 0,
  maxRetries: 3,
  timeoutMs: 1_000,
  waitMs: 0,
  requestId: null,
  traceparent: null,
  hasCallback: false,
})

test('an attempt runs once at a time, beside its successor', () => {
  const running = createRunningTasks()
  const first = running.begin(attemptOf(1))
  expect(running.begin(attemptOf(1))).toBeNull()
  expect(running.begin(attemptOf(2))).not.toBeNull()
  if (first) running.end(first)
  expect(running.begin(attemptOf(2))).toBeNull()
  expect(running.begin(attemptOf(1))).not.toBeNull()
  expect(running.size).toBe(2)
})

// The attempts that run in a process.
import { expect, test } from 'vitest'
import { createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { claimedTask } from '../support/claimed-task.ts'

const ID = '01900000-0000-7000-8000-000000000000'
const attemptOf = (attempt: number) => claimedTask({ id: ID, attempt })

test('an attempt cannot begin twice, but can run at the same time as the next attempt', () => {
  const running = createRunningTasks()
  const first = running.begin(attemptOf(1))
  expect(running.begin(attemptOf(1))).toBeNull()
  expect(running.begin(attemptOf(2))).not.toBeNull()
  if (first) running.end(first)
  expect(running.begin(attemptOf(2))).toBeNull()
  expect(running.begin(attemptOf(1))).not.toBeNull()
  expect(running.size).toBe(2)
})

test('tasks whose ids have the same ending are distinguished', async () => {
  const running = createRunningTasks()
  const ids = [ID, ID.replace('019', '018'), ID.replace('019', '017')]
  const attempts = ids.map((id) => running.begin(claimedTask({ id })))
  running.abort(ids[1] ?? '', 'cancelled')
  expect(attempts.map((attempt) => attempt?.abortReason)).toEqual([undefined, 'cancelled', undefined])
  const emptied = running.whenEmpty()
  for (const attempt of attempts) if (attempt) running.end(attempt)
  await emptied
  expect([running.size, running.all()]).toEqual([0, []])
})

// Submitting a task.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startSystem()
})
afterAll(() => system.stop())

test('a submitted task is run, and its result can be read', async () => {
  const task = await system.submit('reverse', { text: 'Waggle' })
  expect(task).toMatchObject({ name: 'reverse', status: 'PENDING', attempt: 0, is_final: false })
  const done = await system.taskWhenFinal(task.id)
  expect(done).toMatchObject({ status: 'SUCCESS', result: { text: 'elggaW' }, attempt: 1, attempts: [] })
})

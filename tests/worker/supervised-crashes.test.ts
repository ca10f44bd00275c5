// Worker processes under a supervisor, with tasks that end their process: each fails alone.
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { descendantsOf } from '../support/process-tree.ts'
import { superviseWorkers } from '../support/supervised-workers.ts'
import { type TestSystem, until } from '../support/system.ts'
import { startTestTaskSystem } from '../support/test-task-system.ts'

let system: TestSystem
beforeAll(async () => {
  system = await startTestTaskSystem()
})
afterAll(() => system.stop())

// So long that no worker counts as missing: only the supervisor puts tasks back.
const NEVER_MISSING = { missingAfterMs: 120_000 }

test.for([1, 2])(
  'beside a task that exits its process, 19 tasks without retries succeed (%i worker processes)',
  async (count, context) => {
    if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
    const workers = await superviseWorkers(system, count, NEVER_MISSING)
    onTestFinished(() => workers.kill())
    const sleepers = await Promise.all(
      Array.from({ length: 19 }, () =>
        system.submit('sleep', { ms: 2_000, laterMs: 50 }, { max_retries: 0 }),
      ),
    )
    await until(
      async () => (await Promise.all(sleepers.map(({ id }) => system.task(id)))).map(({ status }) => status),
      (statuses) => statuses.every((status) => status !== 'PENDING'),
    )
    const culprit = await system.submit('exit', {}, { max_retries: 0 })
    for (const { id } of sleepers)
      expect(await system.taskWhenFinal(id)).toMatchObject({ status: 'SUCCESS', failures: 0 })
    expect(await system.taskWhenFinal(culprit.id)).toMatchObject({
      status: 'FAILURE',
      error: { name: 'ProcessCrashed', message: expect.stringContaining('exited with code 3') },
    })
    await until(
      async () => workers.messages,
      (messages) => messages.includes('the tasks of a crashed worker were put back'),
    )
    expect(await workers.stop()).toBe(true)
  },
)

test('SIGTERM to all processes at the same time, as from a service manager, costs an isolated task no retry', async (context) => {
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const workers = await superviseWorkers(system, 1, NEVER_MISSING)
  onTestFinished(() => workers.kill())
  const { id } = await system.submit('isolated_compute', { ms: 2_000 }, { max_retries: 0 })
  await system.taskWhen(id, ({ progress }) => progress.fraction > 0)
  const pid = workers.slots[0]?.current?.pid as number
  for (const each of descendantsOf(pid)) process.kill(each, 'SIGTERM')
  expect(await workers.stop()).toBe(true)
  expect(await system.task(id)).toMatchObject({ status: 'SUCCESS', failures: 0 })
})

// A worker that reaches Redis but not Postgres: it does not keep the deliveries that it has fetched.
import { expect, onTestFinished, test } from 'vitest'
import { AppError } from '../../src/base/errors.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { startSystem, until } from '../support/system.ts'
import { createTestDefinitions } from '../support/test-definitions.ts'

test('tasks that were fetched by a worker without Postgres run in another worker', async () => {
  const system = await startSystem({ worker: false, definitions: createTestDefinitions() })
  onTestFinished(() => system.stop())
  const { connections, registry } = system
  const unavailable = async () => {
    throw new AppError('unavailable', 'The database cannot be reached')
  }
  const cutOff = startWorker(
    {
      ...connections,
      taskStore: {
        ...connections.taskStore,
        claimMany: unavailable,
      },
      workerStore: { ...connections.workerStore, beat: unavailable },
    },
    registry,
    createEvents(),
    // It repairs nothing, so that only its deliveries matter.
    {
      queues: ['default'],
      concurrency: 5,
      version: 'test',
      missingAfterMs: 600_000,
      claimLimitMs: 500,
      reconcileMs: 600_000,
    },
  )
  onTestFinished(async () => void (await cutOff.stop(0)))
  const tasks = await Promise.all(
    Array.from({ length: 20 }, () => system.service.submit('reverse', { text: 'ab' })),
  )
  await system.service.whenEnqueued()
  await until(
    () => connections.queue.readState('default'),
    ({ deliveries }) => deliveries === 0,
  )
  // With this limit the second worker finds no lost delivery, so only the returned references start the
  // tasks.
  system.startWorker({ lostAfterMs: 600_000 })
  await until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === tasks.length,
    50,
  )
  expect(system.emitted('tasks.enqueued')).toEqual([])
})

// Which ends of held tasks wake the other workers.
import { expect, onTestFinished, test } from 'vitest'
import type { Channel } from '../../src/redis/signals.ts'
import type { LimitStore } from '../../src/store/held/limit-store.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { createHeldDefinitions } from '../support/held-definitions.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

test('an end does not wake the other workers if this one has a free slot', async () => {
  const system = await systemWithTasks('one_per_key')
  const published = startRecordingWorker(system, 4)
  await allSucceed(system)
  expect(published).toEqual([])
})

test('an end wakes the other workers while tasks wait only for a slot of this one', async () => {
  const system = await systemWithTasks('urgent')
  const published = startRecordingWorker(system, 1)
  await allSucceed(system)
  expect(published).toContainEqual(['default'])
})

test('an end wakes the other workers if this one cannot read what waits', async () => {
  const system = await systemWithTasks('one_per_key')
  const { limitStore } = system.connections
  let reads = 0
  const published: string[][] = startRecordingWorker(system, 4, {
    ...limitStore,
    // The first read starts a task. The others fail until this worker has woken the other ones.
    read: (parts) =>
      reads++ > 0 && published.length === 0 ? Promise.reject(new Error('no answer')) : limitStore.read(parts),
  })
  await allSucceed(system)
  expect(published).toEqual([['default']])
})

/** A system without a worker, in which five tasks wait. */
async function systemWithTasks(name: string): Promise<TestSystem> {
  const { definitions } = createHeldDefinitions()
  const system = await startSystem({ definitions, worker: false })
  onTestFinished(() => system.stop())
  for (let n = 0; n < 5; n++) await system.service.submit(name, { n })
  return system
}

/**
 * Starts a worker.
 * @returns what it publishes on the channel `held`
 */
function startRecordingWorker(
  { connections, registry, events }: TestSystem,
  concurrency: number,
  limitStore: LimitStore = connections.limitStore,
): string[][] {
  const published: string[][] = []
  const signals = {
    ...connections.signals,
    publish(channel: Channel, ids: string[]) {
      if (channel === 'held') published.push(ids)
      connections.signals.publish(channel, ids)
    },
  }
  const worker = startWorker({ ...connections, signals, limitStore }, registry, events, {
    queues: ['default'],
    concurrency,
    version: 'test',
    missingAfterMs: 60_000,
  })
  onTestFinished(async () => void (await worker.stop(0)))
  return published
}

async function allSucceed(system: TestSystem) {
  await until(
    () => system.countByStatus(),
    ({ SUCCESS }) => SUCCESS === 5,
  )
}

// The counters of a worker: they have no limit that could stop its heartbeat.
import { expect, onTestFinished, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { startSystem } from '../support/system.ts'

test('a worker that has ended more than 2^31 attempts still sends heartbeats', async () => {
  const system = await startSystem({ worker: false })
  onTestFinished(() => system.stop())
  const { workerStore } = system.connections
  const worker = {
    id: newId(),
    host: 'host',
    pid: 1,
    version: 'test',
    queues: ['default'],
    concurrency: 1,
    isolatedProcesses: 0,
  }
  const counts = { processed: 2 ** 31 + 5, failed: 2 ** 32 }
  await workerStore.beat({ timeoutMs: 5_000, worker, ...counts, leaked: 0, running: [] })
  expect(await workerStore.list()).toMatchObject([counts])
})

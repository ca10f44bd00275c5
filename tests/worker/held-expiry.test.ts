// Held tasks that expire while a worker claims.
import { onTestFinished, test } from 'vitest'
import { startWorker } from '../../src/worker/worker.ts'
import { createHeldDefinitions } from '../support/held-definitions.ts'
import { startSystem, until } from '../support/system.ts'

test('tasks that expire between the read and the claim of a worker end', async () => {
  const { definitions } = createHeldDefinitions()
  const system = await startSystem({ definitions, worker: false })
  onTestFinished(() => system.stop())
  const { connections, registry, events } = system
  const expiresAt = new Date(Date.now() - 1)
  for (let n = 0; n < 5; n++) await system.service.submit('urgent', { n }, { expiresAt })
  const { limitStore } = connections
  let reads = 0
  const worker = startWorker(
    {
      ...connections,
      limitStore: {
        ...limitStore,
        // The first read is from before the expiry.
        read: async (parts) => ({
          ...(await limitStore.read(parts)),
          ...(reads++ === 0 && { hasExpired: false }),
        }),
      },
    },
    registry,
    events,
    // Fewer slots than expired tasks.
    { queues: ['default'], concurrency: 2, version: 'test', missingAfterMs: 60_000 },
  )
  onTestFinished(async () => void (await worker.stop(0)))
  // A submission would end the claims: it locks the group.
  await until(
    () => system.countByStatus(),
    ({ CANCELLED }) => CANCELLED === 5,
  )
})

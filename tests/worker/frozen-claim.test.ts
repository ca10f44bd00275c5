// A worker process that stands still in the middle of a claim of held tasks.
import { expect, onTestFinished, test } from 'vitest'
import { openHeldStore } from '../support/held-store.ts'
import {
  createLimitedDefinitions,
  type LimitedDefinition,
  limitedName,
} from '../support/limited-definitions.ts'
import { startSystem, until } from '../support/system.ts'
import { createRunRecorder } from '../support/test-definitions.ts'
import { spawnWorker } from '../support/worker-process.ts'

const LIMITED: LimitedDefinition[] = [{ concurrency: { limit: 1, isKeyed: false }, priority: 'normal' }]
const NAME = limitedName(0)

test('keeps the locks of its limits for seconds only, and goes on without a fault', async (context) => {
  const system = await startSystem({ worker: false, definitions: createLimitedDefinitions(LIMITED) })
  onTestFinished(() => system.stop())
  if (!system.database.isServer) return context.skip('PGlite can be opened by one process only')
  const recorder = await createRunRecorder(system.database.url)
  onTestFinished(() => recorder.close())
  const { begin, untilWaiting } = openHeldStore(system, { name: NAME, queue: 'default' })
  const submit = () => system.service.submit(NAME, { key: 'a', ms: 0, ends: [] })
  const allSucceeded = (count: number) =>
    until(
      () => system.countByStatus(),
      ({ SUCCESS }) => SUCCESS === count,
    )

  await submit()
  const commit = await begin('select from task_groups for update')
  const frozen = await spawnWorker(system, { concurrency: 1, missingAfterMs: 60_000 }, 10_000, [], LIMITED)
  onTestFinished(() => frozen.kill())
  // Its claim has locked the limits and waits for the group.
  await untilWaiting(1)
  process.kill(frozen.pid, 'SIGSTOP')
  await commit()
  const other = await spawnWorker(system, {}, 10_000, [], LIMITED)
  onTestFinished(() => other.kill())
  await submit()
  await allSucceeded(2)

  process.kill(frozen.pid, 'SIGCONT')
  await other.terminate()
  // The worker that stood still is the only one now. It runs both tasks, so it has released its only slot.
  await submit()
  await submit()
  await allSucceeded(4)
  const runs = await recorder.all()
  expect(runs.filter(({ note }) => note === 'begins').map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1])
  expect(new Set(runs.map(({ task_id }) => task_id)).size).toBe(4)
  expect(await frozen.terminate()).toBe(0)
})

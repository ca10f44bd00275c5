// The heartbeat of a worker, with a store whose answers the test delays.
import { expect, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import type { BeatAnswer } from '../../src/store/worker-store.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createRunningTasks } from '../../src/worker/attempts/running-tasks.ts'
import { type HeartbeatDependencies, startHeartbeat } from '../../src/worker/heartbeat.ts'
import { claimedTask } from '../support/claimed-task.ts'

test('a heartbeat waits for the one under way, so that no older progress is written after a newer one', async () => {
  const written: (number | undefined)[] = []
  const answers: (() => void)[] = []
  const running = createRunningTasks()
  const attempt = running.begin(claimedTask())
  if (attempt) attempt.progress = { fraction: 0.1 }
  const heartbeat = startHeartbeat({
    prepare: async () => {},
    store: {
      beat: (beat: { running: { progress?: { fraction: number } }[] }) =>
        new Promise<BeatAnswer>((resolve) => {
          answers.push(() => {
            written.push(beat.running[0]?.progress?.fraction)
            resolve({ isDraining: false, news: [] })
          })
        }),
    },
    running,
    signals: { listen: () => () => {} },
    slots: { leaked: 0 },
    counts: { processed: 0, failed: 0 },
    lastBlockedBeatMs: () => 0,
    onDraining: () => {},
    events: createEvents(),
    intervalMs: 60_000,
    missingAfterMs: 180_000,
  } as unknown as HeartbeatDependencies)

  await expect.poll(() => answers.length).toBe(1)
  if (attempt) attempt.progress = { fraction: 0.2 }
  const ensured = heartbeat.ensureHeartbeat()
  await pause(20)
  // Answers in the reverse order: a second heartbeat would be written before the first.
  for (const answer of answers.toReversed()) answer()
  await ensured
  const stopped = heartbeat.stop()
  expect([written, answers.length, attempt?.progress]).toEqual([[0.1], 1, { fraction: 0.2 }])
  await stopped
})

// Counts what happens to tasks and how long they waited and ran, and hands the sums on every few seconds. A dozen thousand
// tasks pass in a second: each costs a few additions.

import type { TaskStatus } from '../definitions/task-status.ts'
import { type ActivitySum, BUCKETS, bucketOf, COUNTED_STATUSES, isCounted, type Measure } from './activity.ts'
import { boundedLabels } from './bounded-labels.ts'
import type { Events } from './events.ts'

export interface ActivityCounter {
  /** Hands on what was counted since the last time; what cannot be handed on now is kept for the next. @throws what `add` throws */
  flush(): Promise<void>
}

export interface ActivityCounterOptions {
  definitions: readonly { name: string }[]
  add: (sums: ActivitySum[]) => Promise<void>
}

// Tasks of another version of the code; a worker that does not know them says so at every attempt.
const MOST_UNKNOWN_NAMES = 20
// While Postgres is away next to nothing happens, and what does is of the first seconds. Beyond this, the oldest is let go.
const MOST_KEPT_SUMS = 10_000

/** Begins to listen; ends with its events. */
export function countActivity(events: Events, { definitions, add }: ActivityCounterOptions): ActivityCounter {
  const labelOf = boundedLabels(
    definitions.map(({ name }) => name),
    MOST_UNKNOWN_NAMES,
  )
  let counts = new Map<string, Counts>()
  let kept: CountedSum[] = []
  let flushing = Promise.resolve()

  events.on('tasks.accepted', ({ tasks }) => {
    let count = 0
    for (const [index, { name }] of tasks.entries()) {
      count++
      if (tasks[index + 1]?.name === name) continue
      countsOf(name).accepted += count
      count = 0
    }
  })
  events.on('task.started', ({ name, waitMs }) => {
    increment(countsOf(name).wait, bucketOf(waitMs))
  })
  events.on('task.finished', ({ name, status, runMs }) => {
    const counts = countsOf(name)
    end(counts, status)
    increment(counts.run, bucketOf(runMs))
  })
  // Its worker never announced an end.
  events.on('task.lost', ({ name, status }) => end(countsOf(name), status))
  // No worker had it.
  events.on('tasks.cancelled', ({ tasks }) => {
    for (const { name } of tasks) end(countsOf(name), 'CANCELLED')
  })

  return {
    flush() {
      // One at a time, so that nothing is handed on twice.
      flushing = flushing.catch(() => {}).then(handOn)
      return flushing
    },
  }

  function countsOf(name: string): Counts {
    const label = labelOf(name)
    let ofLabel = counts.get(label)
    if (!ofLabel) {
      ofLabel = createCounts()
      counts.set(label, ofLabel)
    }
    return ofLabel
  }

  async function handOn(): Promise<void> {
    const countedMs = performance.now()
    for (const [name, ofName] of counts)
      for (const sum of sumsOf(ofName)) kept.push({ ...sum, name, countedMs })
    counts = new Map()
    if (kept.length === 0) return
    kept = kept.slice(-MOST_KEPT_SUMS)
    await add(kept.map(({ countedMs: atMs, ...sum }) => ({ ...sum, ageMs: performance.now() - atMs })))
    kept = []
  }
}

interface CountedSum extends Omit<ActivitySum, 'ageMs'> {
  countedMs: number
}

interface Counts {
  accepted: number
  ended: Record<(typeof COUNTED_STATUSES)[number], number>
  /** By bucket. */
  wait: Uint32Array
  run: Uint32Array
}

function createCounts(): Counts {
  return {
    accepted: 0,
    ended: { SUCCESS: 0, FAILURE: 0, CANCELLED: 0, RETRY: 0 },
    wait: new Uint32Array(BUCKETS),
    run: new Uint32Array(BUCKETS),
  }
}

function end(counts: Counts, status: TaskStatus) {
  // What a shutdown has put back has not ended.
  if (isCounted(status)) counts.ended[status]++
}

function increment(buckets: Uint32Array, bucket: number) {
  buckets[bucket] = (buckets[bucket] ?? 0) + 1
}

function sumsOf({
  accepted,
  ended,
  wait,
  run,
}: Counts): { measure: Measure; bucket: number; count: number }[] {
  const timesOf = (measure: Measure, buckets: Uint32Array) =>
    Array.from(buckets, (count, bucket) => ({ measure, bucket, count }))
  return [
    { measure: 'accepted' as const, bucket: 0, count: accepted },
    ...COUNTED_STATUSES.map((status) => ({ measure: status, bucket: 0, count: ended[status] })),
    ...timesOf('wait', wait),
    ...timesOf('run', run),
  ].filter(({ count }) => count > 0)
}

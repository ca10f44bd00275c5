// Counts accepted tasks, ended attempts, and how long they waited and ran, for the statistics. At ten
// thousand tasks per second each event must cost only a few additions in memory. So events only increase
// counters in memory, and `flush`, which is called every few seconds, has them written to Postgres.

import type { TaskStatus } from '../definitions/task-status.ts'
import { type ActivitySum, BUCKETS, bucketOf, COUNTED_STATUSES, isCounted, type Measure } from './activity.ts'
import { boundedLabels } from './bounded-labels.ts'
import type { Events } from './events.ts'

export interface ActivityCounter {
  /**
   * Passes the counts since the last flush to the option `add`, which writes them to Postgres. If `add`
   * fails, the next flush passes them again.
   * @throws the error of `add`
   */
  flush(): Promise<void>
}

export interface ActivityCounterOptions {
  definitions: readonly { name: string }[]
  add: (sums: ActivitySum[]) => Promise<void>
}

// Maximum number of unknown definitions with their own statistics; all further ones share the name `other`.
// A definition is unknown if only another version of the code has it: attempts of its tasks fail in this
// process, and the failures are counted.
const MAX_UNKNOWN_NAMES = 20
// Maximum number of counts that are kept in memory until they can be written to Postgres; the oldest are
// dropped. Few are added during an outage, because no task can be accepted or claimed without Postgres.
const MAX_UNSAVED_SUMS = 10_000

/** Counts all events from now on. There is no `stop`: the listeners live as long as the emitter `events`. */
export function countActivity(events: Events, { definitions, add }: ActivityCounterOptions): ActivityCounter {
  const labelOf = boundedLabels(
    definitions.map(({ name }) => name),
    MAX_UNKNOWN_NAMES,
  )
  let counts = new Map<string, Counts>()
  let unsaved: CountedSum[] = []
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
  // Counts the lost attempt as ended, because its missing worker has not emitted `task.finished`.
  events.on('attempt.lost', ({ name, status }) => end(countsOf(name), status))
  // Counts tasks that were cancelled while they waited. They had no running attempt, so no worker emits
  // `task.finished` for them.
  events.on('tasks.cancelled', ({ tasks }) => {
    for (const { name } of tasks) end(countsOf(name), 'CANCELLED')
  })

  return {
    flush() {
      // Flushes run one after another: two concurrent flushes would both write the same pending counts, which
      // Postgres would then add twice.
      flushing = flushing.catch(() => {}).then(addSums)
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

  async function addSums(): Promise<void> {
    const countedMs = performance.now()
    for (const [name, ofName] of counts)
      for (const sum of sumsOf(ofName)) unsaved.push({ ...sum, name, countedMs })
    counts = new Map()
    if (unsaved.length === 0) return
    unsaved = unsaved.slice(-MAX_UNSAVED_SUMS)
    await add(unsaved.map(({ countedMs: atMs, ...sum }) => ({ ...sum, ageMs: performance.now() - atMs })))
    unsaved = []
  }
}

interface CountedSum extends Omit<ActivitySum, 'ageMs'> {
  countedMs: number
}

interface Counts {
  accepted: number
  ended: Record<(typeof COUNTED_STATUSES)[number], number>
  /**
   * Histogram of the waiting times: how many of them are in each bucket. `run` is the histogram of the
   * running times.
   */
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
  // A released task (PENDING after the shutdown of its worker) is not counted: its attempt has no outcome.
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

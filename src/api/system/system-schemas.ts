// Schemas of the routes about the system itself: workers, queues, access, statistics, health.
import { z } from 'zod'
import { SCOPES } from '../../config.ts'
import { MAX_LIMIT, MAX_RATE_SECONDS, MIN_RATE_SECONDS, PRIORITIES } from '../../definitions/limits.ts'
import type { TaskStatus } from '../../definitions/task-status.ts'
import { decimal } from '../http/request-query.ts'

const count = z.int().min(0)
const milliseconds = z.number().nullable()

export const worker = z.object({
  id: z.uuid(),
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  queues: z.array(z.string()),
  concurrency: z.int().min(1),
  isolated_processes: count.meta({
    description: 'Isolated processes; each runs one attempt at a time, in addition to `concurrency`',
  }),
  running: count,
  processed: count,
  failed: count,
  leaked: count.meta({
    description: 'Slots whose handlers ignore their abort and run on although their attempts have ended',
  }),
  started_at: z.iso.datetime(),
  last_beat_at: z.iso.datetime(),
  is_alive: z
    .boolean()
    .meta({ description: 'Whether its last heartbeat is younger than WORKER_MISSING_AFTER_SECONDS' }),
  is_draining: z.boolean().meta({ description: 'It claims no more tasks; running tasks continue' }),
})

export const workers = z.object({ data: z.array(worker) })

const wholeLimit = z.int().min(1).max(MAX_LIMIT)
const rateLimit = z.strictObject({
  limit: wholeLimit.meta({ description: 'Maximum number of attempts that start in any `per_seconds`' }),
  per_seconds: z.number().min(MIN_RATE_SECONDS).max(MAX_RATE_SECONDS),
})

/** Limits of a queue: the body of the request that sets them, and a part of the queue. */
export const queueLimits = z.strictObject({
  concurrency: wholeLimit.nullable().meta({
    description:
      'Maximum number of attempts that run at the same time, over all workers; null without a limit',
  }),
  rate_limit: rateLimit.nullable().meta({
    description: 'Limit of the attempts that start, over all workers; null without a limit',
  }),
})

export const queue = z.object({
  name: z.string(),
  waiting: count,
  running: count,
  held: count.meta({
    description:
      'Those of the waiting tasks that limits, a priority or an expiry hold: workers claim them from Postgres',
  }),
  limits: queueLimits.nullable().meta({ description: 'Limits of the whole queue; null if it has none' }),
  oldest_waiting_seconds: z.number().nullable().meta({
    description:
      'How long the oldest due task had been due at the time of the count; null if no task was due',
  }),
  counted_at: z.iso.datetime().meta({
    description:
      'When the tasks of all queues were counted (`waiting`, `running`, `oldest_waiting_seconds`). The next count starts after 1 s, or after 20 times the duration of the last one if that is longer: about 5 minutes with 10 million unfinished tasks',
  }),
  is_paused: z.boolean().meta({ description: 'No task of a paused queue starts; running tasks continue' }),
  paused_at: z.iso.datetime().nullable(),
  workers: count.meta({ description: 'Number of live workers that serve the queue and are not draining' }),
})

export const queues = z.object({ data: z.array(queue) })

export const keysQuery = z.strictObject({
  queue: z.string().optional().meta({ description: 'Only tasks of this queue.' }),
  name: z.string().optional().meta({ description: 'Only tasks of this definition.' }),
  search: z.string().min(1).max(200).optional().meta({ description: 'Only keys that contain this text.' }),
  limit: decimal(z.int().min(1).max(1_000).default(100)).meta({ description: 'Maximum number of keys.' }),
})

const keyCount = z.object({
  name: z.string().meta({ description: 'Name of the definition' }),
  queue: z.string(),
  priority: z.enum(PRIORITIES),
  concurrency_key: z.string().nullable().meta({ description: 'Null if the limit has no keys' }),
  rate_key: z.string().nullable().meta({ description: 'Null if the limit has no keys' }),
  waiting: count,
  running: count,
})

export const keys = z.object({
  data: z.array(keyCount).meta({ description: 'Those with most waiting tasks first' }),
})

export const access = z.object({
  key: z.string().nullable().meta({ description: 'Name of the API key; null if the API requires no keys' }),
  scopes: z.array(z.enum(SCOPES)).meta({ description: 'Scopes of the caller' }),
})
// One member per status and not z.record(): generators of clients then know the names.
const countsByStatus = {
  PENDING: count,
  STARTED: count,
  RETRY: count,
  SUCCESS: count,
  FAILURE: count,
  CANCELLED: count,
} satisfies Record<TaskStatus, z.ZodType>
const percentiles = z.object({ p50: milliseconds, p95: milliseconds, p99: milliseconds })
const bySteps = z.array(count)
const timesBySteps = z.array(milliseconds)
const failureRate = z.number().min(0).max(1).nullable().meta({
  description: 'Share of FAILURE among the tasks that ended as SUCCESS or FAILURE; null if there are none',
})

export const statistics = z.object({
  window_seconds: z.int().meta({
    description: 'Length of the window: the current step and the steps before it',
  }),
  at: z.iso.datetime().meta({
    description:
      'When the figures were read; they may be some seconds old. Those of waiting and running tasks are from the last count (`counted_at` of `GET /v1/queues`)',
  }),
  by_status: z.object(countsByStatus).meta({
    description:
      'Tasks by status: PENDING, STARTED and RETRY now; SUCCESS, FAILURE and CANCELLED within the window',
  }),
  waiting: count,
  running: count,
  oldest_waiting_seconds: z
    .number()
    .nullable()
    .meta({ description: 'How long the oldest due task has been due; null if no task is due' }),
  accepted: count,
  throughput_per_second: z
    .number()
    .min(0)
    .meta({ description: 'Tasks per second that ended as SUCCESS, FAILURE or CANCELLED' }),
  failure_rate: failureRate,
  wait_ms: percentiles.meta({
    description:
      'From the due time of an attempt to its start; null if none started. Percentiles are within 19 %',
  }),
  run_ms: percentiles.meta({
    description: 'From the start of an attempt to the end of its code; null if none ended',
  }),
  series: z.object({
    step_seconds: z.int(),
    starts_at: z
      .array(z.iso.datetime())
      .meta({ description: 'Start of each step; the last step has not ended yet' }),
    accepted: bySteps,
    succeeded: bySteps,
    failed: bySteps,
    cancelled: bySteps,
    retried: bySteps.meta({ description: 'Attempts that failed and are retried' }),
    wait_p95_ms: timesBySteps,
    run_p95_ms: timesBySteps,
  }),
  definitions: z
    .array(
      z.object({
        name: z.string(),
        accepted: count,
        succeeded: count,
        failed: count,
        cancelled: count,
        retried: count,
        failure_rate: failureRate,
        wait_p95_ms: milliseconds,
        run_p50_ms: milliseconds,
        run_p95_ms: milliseconds,
        series: bySteps.meta({ description: 'Tasks that ended, per step' }),
      }),
    )
    .meta({ description: 'Definitions with activity within the window, sorted by name' }),
})

export const health = z.object({ status: z.literal('ok') })

export const readiness = z.object({
  status: z
    .enum(['ok', 'degraded', 'unavailable'])
    .meta({ description: '`degraded`: tasks are accepted, and run when Redis can be reached again' }),
  reason: z.string().optional(),
})

export const statsQuery = z.strictObject({
  window: decimal(
    z
      .int()
      .min(60)
      .max(7 * 24 * 3_600)
      .default(3_600),
  ).meta({ description: 'Length of the window in seconds.' }),
})

/** Responses that have a name in the OpenAPI document. */
export const SYSTEM_SCHEMAS = {
  Queue: queue,
  Queues: queues,
  QueueLimits: queueLimits,
  Keys: keys,
  Worker: worker,
  Workers: workers,
  Access: access,
  Statistics: statistics,
  Health: health,
  Readiness: readiness,
}

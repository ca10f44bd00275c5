// The shapes of the answers about the system itself: workers, queues, statistics, health.
import { z } from 'zod'
import { SCOPES } from '../../config.ts'
import { TASK_STATUSES } from '../../definitions/task-status.ts'

const count = z.int().min(0)
const milliseconds = z.number().nullable()

export const worker = z.object({
  id: z.uuid(),
  host: z.string(),
  pid: z.int(),
  version: z.string(),
  queues: z.array(z.string()),
  concurrency: z.int().min(1),
  running: count,
  processed: count,
  failed: count,
  started_at: z.iso.datetime(),
  last_beat_at: z.iso.datetime(),
  is_alive: z.boolean().meta({ description: 'Its heartbeat was heard lately' }),
  is_draining: z.boolean().meta({ description: 'It was asked to take no more tasks; what it runs goes on' }),
})

export const workers = z.object({ data: z.array(worker) })

export const queue = z.object({
  name: z.string(),
  waiting: count,
  running: count,
  oldest_waiting_seconds: z
    .number()
    .nullable()
    .meta({ description: 'By how much the task that is due for longest is late; null when none is due' }),
  is_paused: z.boolean().meta({ description: 'Nothing of it starts until it is resumed' }),
  paused_at: z.iso.datetime().nullable(),
  workers: count.meta({ description: 'Live workers that serve it and are not draining' }),
})

export const queues = z.object({ data: z.array(queue) })

export const access = z.object({
  key: z.string().nullable().meta({ description: 'Name of the key; null where the API asks for none' }),
  scopes: z.array(z.enum(SCOPES)).meta({ description: 'What the caller may do' }),
})
const percentiles = z.object({ p50: milliseconds, p95: milliseconds, p99: milliseconds })
const bySteps = z.array(count)
const timesBySteps = z.array(milliseconds)
const failureRate = z
  .number()
  .min(0)
  .max(1)
  .nullable()
  .meta({ description: 'Failures, of what ended as SUCCESS or FAILURE; null where nothing did' })

export const statistics = z.object({
  window_seconds: z.int().meta({
    description:
      'What has happened is told of so long ago, at most: of the step under way and those before it',
  }),
  at: z.iso.datetime().meta({ description: 'When this was read; it may be some seconds old' }),
  by_status: z.record(z.enum(TASK_STATUSES), count).meta({
    description:
      'PENDING, STARTED and RETRY as they are now; SUCCESS, FAILURE and CANCELLED: ended within the window',
  }),
  waiting: count,
  running: count,
  oldest_waiting_seconds: z
    .number()
    .nullable()
    .meta({ description: 'By how much the task that is due for longest is late; null when none is due' }),
  accepted: count,
  throughput_per_second: z.number().min(0).meta({ description: 'Tasks that ended, whichever way' }),
  failure_rate: failureRate,
  wait_ms: percentiles.meta({
    description:
      'From the moment at which an attempt was due to its start; null where nothing was measured. Percentiles are at most 19 % from the true one',
  }),
  run_ms: percentiles.meta({ description: 'From the start of an attempt until its code was done' }),
  series: z.object({
    step_seconds: z.int(),
    starts_at: z
      .array(z.iso.datetime())
      .meta({ description: 'When the steps begin; the last one is under way' }),
    accepted: bySteps,
    succeeded: bySteps,
    failed: bySteps,
    cancelled: bySteps,
    retried: bySteps.meta({ description: 'Attempts that failed and are tried again' }),
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
        series: bySteps.meta({ description: 'Tasks that ended, step by step' }),
      }),
    )
    .meta({ description: 'Those of which something happened within the window, by name' }),
})

export const health = z.object({ status: z.literal('ok') })

export const readiness = z.object({
  status: z
    .enum(['ok', 'degraded', 'unavailable'])
    .meta({ description: '`degraded`: tasks are accepted, and run when Redis is back' }),
  reason: z.string().optional(),
})

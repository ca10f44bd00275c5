// The shapes of the answers about the system itself: workers, queues, statistics, health.
import { z } from 'zod'
import { SCOPES } from '../config.ts'
import { TASK_STATUSES } from '../task-status.ts'

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

export const statistics = z.object({
  window_seconds: z
    .int()
    .meta({ description: 'Counts and times are of tasks submitted so long ago, at most' }),
  by_status: z.record(z.enum(TASK_STATUSES), count),
  waiting: count,
  running: count,
  oldest_waiting_seconds: z.number().nullable(),
  wait_ms: z.object({ p50: milliseconds, p95: milliseconds }).meta({
    description: 'From submission to the start of the last attempt; null where nothing was measured',
  }),
  run_ms: z
    .object({ p50: milliseconds, p95: milliseconds })
    .meta({ description: 'From the start of the last attempt to the end' }),
})

export const health = z.object({ status: z.literal('ok') })

export const readiness = z.object({
  status: z
    .enum(['ok', 'degraded', 'unavailable'])
    .meta({ description: '`degraded`: tasks are accepted, and run when Redis is back' }),
  reason: z.string().optional(),
})

// Operations on the system: queues, workers, statistics, health, metrics. The routes take access and query
// from here, and /openapi.json is generated from all of it.
import { json, type Operation, type Operations } from '../openapi/operation.ts'
import {
  access,
  health,
  keys,
  keysQuery,
  queue,
  queueLimits,
  queues,
  readiness,
  statistics,
  statsQuery,
  worker,
  workers,
} from './system-schemas.ts'

export const systemOperations = {
  list_queues: {
    route: 'GET /v1/queues',
    summary: 'List the queues',
    description: 'Every queue with its waiting and running tasks and the number of its workers.',
    access: 'read',
    responses: {
      200: {
        description:
          'All queues that have a definition, unfinished tasks or workers, or that are paused. The numbers of tasks are from the last count, whose time is `counted_at`.',
        content: json(queues),
      },
    },
    problems: ['unavailable'],
  },
  pause_queue: queueOperation(
    'pause',
    'Tasks of this queue are not started until it is resumed; running tasks continue. Pausing it again changes nothing.',
  ),
  resume_queue: queueOperation('resume', 'Waiting tasks are enqueued again within a second.'),
  set_queue_limits: {
    route: 'PUT /v1/queues/:name/limits',
    summary: 'Set the limits of a queue',
    description:
      'Limits how many tasks of the queue run at the same time, and how many start in a time, over all workers and definitions. They apply to all tasks that start from now on; running tasks continue. `null` in both members removes the limits.',
    access: 'operate',
    parameters: ['QueueName'],
    body: {
      content: json(queueLimits, {
        example: { concurrency: 10, rate_limit: { limit: 100, per_seconds: 60 } },
      }),
    },
    responses: { 200: { description: 'The queue after the change.', content: json(queue) } },
    problems: ['unavailable'],
  },
  list_keys: {
    route: 'GET /v1/keys',
    summary: 'List the keys of limits',
    description:
      'Every combination of definition, queue, priority and keys with unfinished held tasks, and how many of them wait and run.',
    access: 'read',
    query: keysQuery,
    responses: { 200: { description: 'The keys.', content: json(keys) } },
    problems: ['unavailable', 'overloaded'],
  },
  list_workers: {
    route: 'GET /v1/workers',
    summary: 'List the workers',
    description: 'Every worker with the queues that it serves, its counters and its last heartbeat.',
    access: 'read',
    responses: {
      200: {
        description: 'All workers, including those that went missing recently.',
        content: json(workers),
      },
    },
    problems: ['unavailable'],
  },
  drain_worker: workerOperation(
    'drain',
    'Within a second, the worker stops claiming tasks until it is resumed or its process ends; running tasks continue. Draining it again changes nothing.',
  ),
  resume_worker: workerOperation('resume', 'Within a second, the worker claims tasks again.'),
  get_access: {
    route: 'GET /v1/access',
    summary: 'Permissions of the client',
    description:
      'Name and scopes of the API key of the request. Without API keys, the client has all scopes.',
    access: 'any key',
    responses: { 200: { description: 'Name and scopes of the API key.', content: json(access) } },
  },
  get_statistics: {
    route: 'GET /v1/stats',
    summary: 'Statistics',
    description:
      'Tasks waiting and running now, and counts and durations within the window. Concurrent requests share one query. Figures of the window are a few seconds old.',
    access: 'read',
    query: statsQuery,
    responses: { 200: { description: 'The statistics.', content: json(statistics) } },
    problems: ['unavailable'],
  },
  get_metrics: {
    route: 'GET /metrics',
    summary: 'Metrics for Prometheus',
    description:
      'Counters and histograms of the processes of this server, and the numbers of tasks of all queues.',
    access: 'read',
    responses: {
      200: {
        description: 'Metrics in the text format of Prometheus.',
        content: { 'text/plain': { schema: { type: 'string' } } },
      },
    },
  },
  health: healthOperation('GET'),
  health_head: healthOperation('HEAD'),
  health_post: healthOperation('POST'),
  health_options: healthOperation('OPTIONS'),
  health_live: {
    route: 'GET /health/live',
    summary: 'Check that the process is alive',
    description: 'Does not use Postgres or Redis, so that an outage of them restarts no process.',
    access: null,
    responses: {
      200: { description: 'The process is alive.', content: json(health, { ok: { status: 'ok' } }) },
    },
  },
  health_ready: {
    route: 'GET /health/ready',
    summary: 'Check that tasks can be accepted',
    description:
      'Tasks can be accepted while Postgres can be reached. Without Redis the status is `degraded`: tasks are accepted, and run later.',
    access: null,
    responses: {
      200: {
        description: 'Tasks can be accepted.',
        content: json(readiness, { ok: { status: 'ok' } }),
      },
      503: {
        description: 'Tasks cannot be accepted. `reason` contains the cause.',
        headers: ['Retry-After'],
        content: json(readiness, {
          unavailable: { status: 'unavailable', reason: 'Postgres cannot be reached' },
        }),
      },
    },
  },
} satisfies Operations

function queueOperation(verb: 'pause' | 'resume', description: string) {
  return {
    route: `POST /v1/queues/:name/${verb}`,
    summary: verb === 'pause' ? 'Pause a queue' : 'Resume a queue',
    description,
    access: 'operate',
    parameters: ['QueueName'],
    responses: { 200: { description: 'The queue after the change.', content: json(queue) } },
    problems: ['unavailable'],
  } as const satisfies Operation
}

function workerOperation(verb: 'drain' | 'resume', description: string) {
  return {
    route: `POST /v1/workers/:id/${verb}`,
    summary: verb === 'drain' ? 'Drain a worker' : 'Resume a worker',
    description,
    access: 'operate',
    parameters: ['WorkerId'],
    responses: { 200: { description: 'The worker after the change.', content: json(worker) } },
    problems: ['unavailable'],
  } as const satisfies Operation
}

function healthOperation(method: 'GET' | 'HEAD' | 'POST' | 'OPTIONS'): Operation {
  return {
    route: `${method} /health`,
    summary: 'Check that the API responds',
    description: 'Responds with 200 to any method.',
    access: null,
    responses: {
      200: {
        description: 'The API responds.',
        ...(method !== 'HEAD' && { content: json(health, { ok: { status: 'ok' } }) }),
      },
    },
  }
}

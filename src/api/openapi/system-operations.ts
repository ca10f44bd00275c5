// OpenAPI operations on the system: queues, workers, statistics, health, metrics, documentation.
import { statsQuery } from '../system/statistics-routes.ts'
import { describedQuery, HTML_PAGE, json, type Operation } from './operation.ts'
import { ref } from './schemas.ts'

const HEALTH_METHODS = ['get', 'head', 'post', 'options'] as const

export const MONITORING_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/v1/queues',
    id: 'list_queues',
    summary: 'List the queues',
    tag: 'Monitoring',
    scope: 'read',
    responses: {
      200: {
        description:
          'All queues that have a definition, unfinished tasks or workers, or that are paused. The numbers of tasks are from the last count, whose time is `counted_at`.',
        content: json(ref('Queues')),
      },
    },
    problems: ['unavailable'],
  },
  queueOperation(
    'pause',
    'Tasks of this queue are not started until it is resumed; running tasks continue. Pausing it again changes nothing.',
  ),
  queueOperation('resume', 'Waiting tasks are enqueued again within a second.'),
  {
    method: 'get',
    path: '/v1/workers',
    id: 'list_workers',
    summary: 'List the workers',
    tag: 'Monitoring',
    scope: 'read',
    responses: {
      200: {
        description: 'All workers, including those that went missing recently.',
        content: json(ref('Workers')),
      },
    },
    problems: ['unavailable'],
  },
  workerOperation(
    'drain',
    'Within a second, the worker stops claiming tasks until it is resumed or its process ends; running tasks continue. Draining it again changes nothing.',
  ),
  workerOperation('resume', 'Within a second, the worker claims tasks again.'),
  {
    method: 'get',
    path: '/v1/access',
    id: 'get_access',
    summary: 'Permissions of the client',
    tag: 'Monitoring',
    scope: 'any key',
    responses: { 200: { description: 'Name and scopes of the API key.', content: json(ref('Access')) } },
    problems: [],
  },
  {
    method: 'get',
    path: '/v1/stats',
    id: 'get_statistics',
    summary: 'Statistics',
    description:
      'Tasks waiting and running now, and counts and durations within the window. Concurrent requests share one query. Figures of the window are a few seconds old.',
    tag: 'Monitoring',
    scope: 'read',
    query: describedQuery(statsQuery, { window: 'Length of the window in seconds.' }),
    responses: { 200: { description: 'The statistics.', content: json(ref('Statistics')) } },
    problems: ['invalid_query', 'unavailable'],
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'get_metrics',
    summary: 'Metrics for Prometheus',
    tag: 'Monitoring',
    scope: 'read',
    responses: {
      200: {
        description: 'Metrics in the text format of Prometheus.',
        content: { 'text/plain': { schema: { type: 'string' } } },
      },
    },
    problems: [],
  },
  ...HEALTH_METHODS.map(
    (method): Operation => ({
      method,
      path: '/health',
      id: method === 'get' ? 'health' : `health_${method}`,
      summary: 'Check that the API responds',
      description: 'Responds with 200 to any method.',
      tag: 'Monitoring',
      scope: null,
      responses: {
        200: {
          description: 'The API responds.',
          ...(method !== 'head' && { content: json(ref('Health'), { ok: { status: 'ok' } }) }),
        },
      },
      problems: [],
    }),
  ),
  {
    method: 'get',
    path: '/health/live',
    id: 'health_live',
    summary: 'Check that the process is alive',
    tag: 'Monitoring',
    scope: null,
    responses: {
      200: { description: 'The process is alive.', content: json(ref('Health'), { ok: { status: 'ok' } }) },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/health/ready',
    id: 'health_ready',
    summary: 'Check that tasks can be accepted',
    tag: 'Monitoring',
    scope: null,
    responses: {
      200: {
        description: 'Tasks can be accepted.',
        content: json(ref('Readiness'), { ok: { status: 'ok' } }),
      },
      503: {
        description: 'Tasks cannot be accepted. `reason` contains the cause.',
        headers: ['Retry-After'],
        content: json(ref('Readiness'), {
          unavailable: { status: 'unavailable', reason: 'Postgres cannot be reached' },
        }),
      },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'get_openapi',
    summary: 'This document',
    tag: 'Documentation',
    scope: null,
    parameters: ['IfNoneMatch'],
    responses: {
      200: { description: 'OpenAPI 3.1.', headers: ['ETag'], content: json({ type: 'object' }) },
      304: { description: 'The document has not changed.', headers: ['ETag'] },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/docs',
    id: 'get_docs',
    summary: 'Interactive documentation',
    tag: 'Documentation',
    scope: null,
    responses: {
      200: { description: 'An HTML page that loads nothing from other hosts.', content: HTML_PAGE },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/docs/{file}',
    id: 'get_docs_file',
    summary: 'File of the documentation page',
    tag: 'Documentation',
    scope: null,
    parameters: ['DocsFile', 'IfNoneMatch'],
    responses: {
      200: {
        description: 'A script, style sheet or image.',
        headers: ['ETag'],
        content: {
          'text/javascript': { schema: { type: 'string' } },
          'text/css': { schema: { type: 'string' } },
          'image/png': { schema: {} },
        },
      },
      304: { description: 'The file has not changed.', headers: ['ETag'] },
    },
    problems: ['not_found'],
  },
]

function queueOperation(verb: 'pause' | 'resume', description: string): Operation {
  return {
    method: 'post',
    path: `/v1/queues/{name}/${verb}`,
    id: `${verb}_queue`,
    summary: verb === 'pause' ? 'Pause a queue' : 'Resume a queue',
    description,
    tag: 'Monitoring',
    scope: 'operate',
    parameters: ['QueueName'],
    responses: { 200: { description: 'The queue after the change.', content: json(ref('Queue')) } },
    problems: ['not_found', 'unavailable'],
  }
}

function workerOperation(verb: 'drain' | 'resume', description: string): Operation {
  return {
    method: 'post',
    path: `/v1/workers/{id}/${verb}`,
    id: `${verb}_worker`,
    summary: verb === 'drain' ? 'Drain a worker' : 'Resume a worker',
    description,
    tag: 'Monitoring',
    scope: 'operate',
    parameters: ['WorkerId'],
    responses: { 200: { description: 'The worker after the change.', content: json(ref('Worker')) } },
    problems: ['unknown_worker', 'unavailable'],
  }
}

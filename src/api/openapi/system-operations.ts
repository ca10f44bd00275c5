// The system itself: queues, workers, statistics, health, metrics, and this document.
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
    answers: {
      200: {
        description: 'Every queue that has a definition, unfinished tasks or workers, or is paused.',
        content: json(ref('Queues')),
      },
    },
    problems: ['unavailable'],
  },
  queueOperation(
    'pause',
    'Nothing of this queue starts any more; what runs goes on. Repeating it changes nothing.',
  ),
  queueOperation('resume', 'What waits is started again within a second.'),
  {
    method: 'get',
    path: '/v1/workers',
    id: 'list_workers',
    summary: 'List the workers',
    tag: 'Monitoring',
    scope: 'read',
    answers: { 200: { description: 'All workers known.', content: json(ref('Workers')) } },
    problems: ['unavailable'],
  },
  workerOperation(
    'drain',
    'It takes no more tasks, within a second and until its process ends; what runs goes on. Repeating it changes nothing.',
  ),
  workerOperation('resume', 'It takes tasks again, within a second.'),
  {
    method: 'get',
    path: '/v1/access',
    id: 'get_access',
    summary: 'What the caller may do',
    tag: 'Monitoring',
    scope: 'any key',
    answers: { 200: { description: 'The scopes of the key.', content: json(ref('Access')) } },
    problems: [],
  },
  {
    method: 'get',
    path: '/v1/stats',
    id: 'get_statistics',
    summary: 'Counts and times',
    description:
      'What waits and runs now, and what has happened within the window. One look at the tables serves all who ask; what has happened is a few seconds late.',
    tag: 'Monitoring',
    scope: 'read',
    query: describedQuery(statsQuery, { window: 'How far to look back, in seconds.' }),
    answers: { 200: { description: 'How it goes.', content: json(ref('Statistics')) } },
    problems: ['invalid_query', 'unavailable'],
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'get_metrics',
    summary: 'Metrics for Prometheus',
    tag: 'Monitoring',
    scope: 'read',
    answers: {
      200: {
        description: 'The text format of Prometheus.',
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
      summary: 'Is the API up?',
      description: '200 whatever the verb.',
      tag: 'Monitoring',
      scope: null,
      answers: {
        200: {
          description: 'It is.',
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
    summary: 'Is the process alive?',
    tag: 'Monitoring',
    scope: null,
    answers: { 200: { description: 'It is.', content: json(ref('Health'), { ok: { status: 'ok' } }) } },
    problems: [],
  },
  {
    method: 'get',
    path: '/health/ready',
    id: 'health_ready',
    summary: 'Can tasks be accepted?',
    tag: 'Monitoring',
    scope: null,
    answers: {
      200: { description: 'They can.', content: json(ref('Readiness'), { ok: { status: 'ok' } }) },
      503: {
        description: 'They cannot, for this reason.',
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
    answers: {
      200: { description: 'OpenAPI 3.1.', headers: ['ETag'], content: json({ type: 'object' }) },
      304: { description: 'Nothing has changed.', headers: ['ETag'] },
    },
    problems: [],
  },
  {
    method: 'get',
    path: '/docs',
    id: 'get_docs',
    summary: 'This document, to be read and tried',
    tag: 'Documentation',
    scope: null,
    answers: { 200: { description: 'A page that needs nothing from elsewhere.', content: HTML_PAGE } },
    problems: [],
  },
  {
    method: 'get',
    path: '/docs/{file}',
    id: 'get_docs_file',
    summary: 'A file of that page',
    tag: 'Documentation',
    scope: null,
    parameters: ['DocsFile', 'IfNoneMatch'],
    answers: {
      200: {
        description: 'Script, style or picture.',
        headers: ['ETag'],
        content: {
          'text/javascript': { schema: { type: 'string' } },
          'text/css': { schema: { type: 'string' } },
          'image/png': { schema: {} },
        },
      },
      304: { description: 'Nothing has changed.', headers: ['ETag'] },
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
    answers: { 200: { description: 'The queue as it is now.', content: json(ref('Queue')) } },
    problems: ['not_found', 'unavailable'],
  }
}

function workerOperation(verb: 'drain' | 'resume', description: string): Operation {
  return {
    method: 'post',
    path: `/v1/workers/{id}/${verb}`,
    id: `${verb}_worker`,
    summary: verb === 'drain' ? 'Drain a worker' : 'Let a worker take tasks again',
    description,
    tag: 'Monitoring',
    scope: 'operate',
    parameters: ['WorkerId'],
    answers: { 200: { description: 'The worker as it is now.', content: json(ref('Worker')) } },
    problems: ['unknown_worker', 'unavailable'],
  }
}

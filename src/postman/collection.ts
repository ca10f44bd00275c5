// Creates the Postman collection from the OpenAPI document and the registry. The whole collection can be run
// in order: scripts store values from responses in variables for later requests.
import type { OpenApiDocument } from '../api/openapi/document.ts'
import type { ExampleRequest } from '../api/openapi/operation.ts'
import type { ProjectRoutes } from '../api/project-routes.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import type { Registry } from '../definitions/registry.ts'
import { createProjectFolder } from './project-folder.ts'
import { createRequestMaker, type MakeRequest, type PostmanFolder, type PostmanItem } from './request.ts'
import { IS_REPLAYED, KEEP_ETAG, KEEP_TASK, KEEP_WORKER } from './scripts.ts'

// Tasks with more retries can take longer than the collection should wait, so they are read only once.
const MAX_RETRIES_TO_WAIT_FOR = 3

const TASK = { id: '{{taskId}}' }

/**
 * @param options `task`: name of the definition that shows delays, retries and replays. `own`: the routes of the
 *    project
 * @throws AppError `unknown_definition`
 */
export function createCollection(
  document: OpenApiDocument,
  registry: Registry,
  { task, own }: { task?: string; own: Pick<ProjectRoutes, 'openapi' | 'requests'> },
) {
  const make = createRequestMaker(document)
  const shown = task === undefined ? registry.submittable[0] : registry.get(task)
  return {
    info: {
      name: document.info.title,
      description: `${document.info.description}\n\nSet \`baseUrl\`, and \`apiKey\` if the server requires keys.`,
      schema: 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json',
    },
    // Without a key the token is empty, which a server without keys ignores.
    auth: { type: 'bearer', bearer: [{ key: 'token', value: '{{apiKey}}', type: 'string' }] },
    variable: [
      ...variables({ baseUrl: 'http://127.0.0.1:8000', apiKey: '' }),
      ...variables({ taskId: '', taskETag: '', workerId: '', rounds: '0' }),
    ],
    item: [
      ...createProjectFolder(make, own),
      createSubmitFolder(make, registry),
      ...(shown ? [createTasksFolder(make, shown)] : []),
      ...(shown ? [createSchedulesFolder(make, shown)] : []),
      createMonitoringFolder(make),
      createProblemsFolder(make, registry),
    ],
  }
}

export function createEnvironment() {
  return {
    name: 'Waggle on this machine',
    values: [
      { key: 'baseUrl', value: 'http://127.0.0.1:8000', type: 'default', enabled: true },
      { key: 'apiKey', value: '', type: 'secret', enabled: true },
    ],
    _postman_variable_scope: 'environment',
  }
}

function createSubmitFolder(make: MakeRequest, { submittable }: Registry): PostmanFolder {
  const folders = submittable.map(({ name, title, description, example, maxRetries }) => ({
    name: title,
    description,
    item: [
      ...make({
        name: `Submit ${name}`,
        operationId: `submit_${name}`,
        status: 202,
        json: { input: example },
        script: KEEP_TASK,
      }),
      ...(maxRetries > MAX_RETRIES_TO_WAIT_FOR ? readOnce(make, name) : waitForEnd(make, name)),
    ],
  }))
  const tasks = submittable.slice(0, 3).map(({ name, example }) => ({ name, input: example }))
  const batch = make({ name: 'Submit a batch', operationId: 'submit_batch', status: 202, json: { tasks } })
  return { name: 'Submit', description: 'One folder per task definition.', item: [...folders, ...batch] }
}

function createTasksFolder(make: MakeRequest, { name: task, example }: TaskDefinition): PostmanFolder {
  const operationId = `submit_${task}`
  return {
    name: 'Tasks',
    description: 'One task: submitted with a delay, cancelled, retried, finished, replayed.',
    item: [
      ...make({ name: 'List the definitions', operationId: 'list_definitions', status: 200 }),
      ...make({
        name: 'Submit with a delay',
        operationId,
        status: 202,
        json: { input: example, options: { delay_seconds: 3_600, tags: ['postman'] } },
        script: KEEP_TASK,
      }),
      ...make({ name: 'Read', operationId: 'get_task', status: 200, path: TASK, script: KEEP_ETAG }),
      ...make({
        name: 'Read again: nothing has changed',
        operationId: 'get_task',
        status: 304,
        path: TASK,
        headers: { 'If-None-Match': '{{taskETag}}' },
      }),
      ...['Submit with an Idempotency-Key', 'Submit again with the same key'].flatMap((name, index) =>
        make({
          name,
          operationId,
          status: 202,
          json: { input: example },
          // Any text is valid. The id of the task differs in every run of the collection.
          headers: { 'Idempotency-Key': '{{taskId}}' },
          script: index > 0 ? IS_REPLAYED : [],
        }),
      ),
      ...make({
        name: 'List',
        operationId: 'list_tasks',
        status: 200,
        query: { tag: 'postman', limit: '10' },
      }),
      ...make({ name: 'Cancel', operationId: 'cancel_task', status: 200, path: TASK }),
      ...make({ name: 'Retry', operationId: 'retry_task', status: 202, path: TASK }),
      ...waitForEnd(make, 'the retried task'),
      ...make({ name: 'Read the log', operationId: 'list_logs', status: 200, path: TASK }),
      ...make({ name: 'Follow a finished task', operationId: 'follow_task', status: 200, path: TASK }),
      ...make({
        name: 'Replay',
        operationId: 'replay_task',
        status: 202,
        path: TASK,
        json: { options: { tags: ['postman', 'replayed'] } },
        script: KEEP_TASK,
      }),
    ],
  }
}

function createSchedulesFolder(make: MakeRequest, { name, example }: TaskDefinition): PostmanFolder {
  const path = { name: 'postman' }
  const json = { definition: name, input: example, cron: '30 2 * * *', time_zone: 'Europe/Berlin' }
  const requests: Omit<ExampleRequest, 'status'>[] = [
    { name: 'Preview', operationId: 'preview_new_schedule', query: { count: '5' }, json },
    { name: 'Replace', operationId: 'put_schedule', path, json },
    { name: 'List the schedules', operationId: 'list_schedules' },
    { name: 'Read', operationId: 'get_schedule', path },
    { name: 'Show the next ticks', operationId: 'preview_schedule', path, query: { count: '5' } },
    { name: 'Pause', operationId: 'pause_schedule', path },
    { name: 'Resume', operationId: 'resume_schedule', path },
  ]
  return {
    name: 'Schedules',
    description: 'One schedule: created, paused, run, deleted.',
    item: [
      ...make({ name: 'Create', operationId: 'put_schedule', status: 201, path, json }),
      ...requests.flatMap((request) => make({ ...request, status: 200 })),
      ...make({ name: 'Make a task now', operationId: 'run_schedule', status: 202, path, script: KEEP_TASK }),
      ...make({ name: 'Delete', operationId: 'delete_schedule', status: 204, path }),
    ],
  }
}

function createMonitoringFolder(make: MakeRequest): PostmanFolder {
  const reads = [
    ['Access', 'get_access'],
    ['Queues', 'list_queues'],
    ['Health', 'health'],
    ['Live', 'health_live'],
    ['Ready', 'health_ready'],
    ['Metrics', 'get_metrics'],
    ['OpenAPI', 'get_openapi'],
  ].flatMap(([name = '', operationId = '']) => make({ name, operationId, status: 200 }))
  const queue = { name: 'postman' }
  const worker = { id: '{{workerId}}' }
  return {
    name: 'Queues, workers, statistics, health',
    item: [
      ...reads,
      ...make({ name: 'Statistics', operationId: 'get_statistics', status: 200, query: { window: '3600' } }),
      ...make({ name: 'Pause a queue', operationId: 'pause_queue', status: 200, path: queue }),
      ...make({ name: 'Resume a queue', operationId: 'resume_queue', status: 200, path: queue }),
      ...make({ name: 'Workers', operationId: 'list_workers', status: 200, script: KEEP_WORKER }),
      ...make({ name: 'Drain a worker', operationId: 'drain_worker', status: 200, path: worker }),
      ...make({ name: 'Resume the worker', operationId: 'resume_worker', status: 200, path: worker }),
    ],
  }
}

function createProblemsFolder(make: MakeRequest, { submittable }: Registry): PostmanFolder {
  const unknown = { id: '01890000-0000-7000-8000-000000000000' }
  return {
    name: 'Problems',
    description: 'Errors are problem documents (application/problem+json).',
    item: [
      ...make({ name: 'An unknown task', operationId: 'get_task', status: 404, path: unknown }),
      ...createInvalidInput(make, submittable),
      ...make({
        name: 'A query that is not valid',
        operationId: 'list_tasks',
        status: 400,
        query: { limit: '0' },
      }),
    ],
  }
}

/** Returns a request with an input that the first definition refuses; none if it refuses none of a few. */
function createInvalidInput(make: MakeRequest, [first]: readonly TaskDefinition[]): PostmanItem[] {
  if (!first) return []
  const fields = Object.keys(Object(first.example))
  const candidates = [...fields.map((field) => ({ [field]: 'not an address' })), {}, null]
  const input = candidates.find((candidate) => !first.input.safeParse(candidate).success)
  if (input === undefined) return []
  return make({
    name: 'An input that is not valid',
    operationId: `submit_${first.name}`,
    status: 422,
    json: { input },
  })
}

function waitForEnd(make: MakeRequest, name: string): PostmanItem[] {
  return make({
    name: `Wait until ${name} has ended`,
    operationId: 'get_task',
    status: 200,
    path: TASK,
    query: { wait: '20' },
    isRepeatedUntilFinal: true,
  })
}

function readOnce(make: MakeRequest, name: string): PostmanItem[] {
  const query = { wait: '2' }
  return make({ name: `Read ${name}`, operationId: 'get_task', status: 200, path: TASK, query })
}

function variables(values: Record<string, string>) {
  return Object.entries(values).map(([key, value]) => ({ key, value, type: 'string' }))
}

// OpenAPI operations of the tasks API, except submissions: definitions, read, follow, list, cancel, retry,
// replay.
import { countQuery, listQuery } from '../tasks/task-filters.ts'
import { logsQuery, readQuery } from '../tasks/task-requests.ts'
import { EXAMPLE_ID, FINISHED_TASK } from './examples.ts'
import { describedQuery, json, type Operation } from './operation.ts'
import { SUBMISSION_PARAMETERS } from './parameters.ts'
import { ref } from './schemas.ts'
import { SUBMISSION_PROBLEMS } from './submit-operations.ts'

const { attempts: _, ...LISTED_TASK } = FINISHED_TASK
const { input, result, ...COMMON } = LISTED_TASK
const COMPACT_TASK = {
  ...COMMON,
  input_excerpt: JSON.stringify(input),
  result_excerpt: JSON.stringify(result),
}

const FILTERS = {
  status: 'One or more statuses, separated by commas.',
  name: 'One or more names of definitions, separated by commas.',
  queue: 'One or more names of queues, separated by commas.',
  worker: 'One or more ids of workers, separated by commas: the worker of the last attempt.',
  tag: 'A tag of the task.',
  id: 'Beginning of the id.',
  q: 'A text contained in name, tags, input, result or error. Case is ignored.',
  created_after: 'Submitted at this time or later.',
  created_before: 'Submitted before this time.',
}

export const TASK_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/v1/tasks/{id}',
    id: 'get_task',
    summary: 'Read a task',
    description: 'With `wait`, the response is sent when the task has ended, or after this many seconds.',
    tag: 'Tasks',
    scope: 'read',
    takesPollToken: true,
    parameters: ['TaskId', 'IfNoneMatch'],
    query: describedQuery(readQuery, { wait: 'Maximum number of seconds to wait until the task has ended.' }),
    responses: {
      200: {
        description: 'The task with its failed and lost attempts.',
        headers: ['ETag', 'Retry-After'],
        content: json(ref('TaskWithAttempts'), { finished: FINISHED_TASK }),
      },
      304: { description: 'The task has not changed.', headers: ['ETag', 'Retry-After'] },
    },
    problems: ['invalid_query', 'unknown_task', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks/{id}/events',
    id: 'follow_task',
    summary: 'Follow a task',
    description:
      'Server-sent events named `task`. Each contains the whole task after a change; its id is the version of the task. The stream ends after the final event.',
    tag: 'Tasks',
    scope: 'read',
    takesPollToken: true,
    parameters: ['TaskId', 'LastEventId'],
    responses: {
      200: { description: 'The events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      204: { description: '`Last-Event-ID` is the id of the final event.' },
    },
    problems: ['unknown_task', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks/{id}/logs',
    id: 'list_logs',
    summary: 'Read the log of a task',
    description:
      'Log lines of all attempts in order. While an attempt runs, lines appear within about a second; when it has ended, its log is complete. At most 1,000 lines and 256 KiB are kept per attempt.',
    tag: 'Tasks',
    scope: 'read',
    takesPollToken: true,
    parameters: ['TaskId'],
    query: describedQuery(logsQuery, {
      after: 'The `next_after` of the previous response: only later lines are returned.',
      limit: 'Maximum number of lines.',
    }),
    responses: {
      200: {
        description: 'Log lines, oldest first.',
        content: json(ref('LogLines'), {
          lines: {
            data: [
              {
                id: 17,
                attempt: 1,
                at: '2030-01-31T12:00:00.100Z',
                message: 'Sending the e-mail to the mail server',
                fields: { server: 'smtp.example.com' },
              },
            ],
            next_after: 17,
          },
        }),
      },
    },
    problems: ['invalid_query', 'unknown_task', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks',
    id: 'list_tasks',
    summary: 'List tasks',
    description:
      'Newest first. Each request examines a bounded number of tasks, so that its cost does not depend on the page or the filter. If few tasks match, a page can be short or empty and still have a `next_cursor`. Without `compact`, a page also ends when its inputs and results reach 4 MiB. Requests with `q` or an `input` field count against the rate limit.',
    tag: 'Tasks',
    scope: 'read',
    isExpensive: true,
    parameters: ['InputFields'],
    query: describedQuery(listQuery, {
      ...FILTERS,
      compact: 'Returns the first 200 characters of input and result instead of the whole values.',
      limit: 'Maximum number of tasks per page.',
      cursor: 'The `next_cursor` of the previous page.',
    }),
    responses: {
      200: {
        description: 'A page of tasks.',
        content: json(
          { anyOf: [ref('TaskPage'), ref('CompactTaskPage')] },
          {
            page: { data: [LISTED_TASK], next_cursor: null },
            compact: { data: [COMPACT_TASK], next_cursor: null },
          },
        ),
      },
    },
    problems: ['invalid_query', 'overloaded', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks/count',
    id: 'count_tasks',
    summary: 'Count tasks',
    description:
      'Each request examines up to 5,000 tasks, newest first (3,000 if the filter reads inputs or texts), and counts those that match. Add up the counts until `next_cursor` is null. Each request counts against the rate limit.',
    tag: 'Tasks',
    scope: 'read',
    isExpensive: true,
    parameters: ['InputFields'],
    query: describedQuery(countQuery, { ...FILTERS, cursor: 'The `next_cursor` of the previous count.' }),
    responses: {
      200: {
        description: 'Number of matching tasks among those examined.',
        content: json(ref('TaskCount'), {
          all: { count: 12, first_cursor: EXAMPLE_ID, next_cursor: null },
        }),
      },
    },
    problems: ['invalid_query', 'overloaded', 'unavailable'],
  },
  {
    method: 'post',
    path: '/v1/tasks/bulk',
    id: 'act_on_tasks',
    summary: 'Cancel, retry or replay many tasks',
    description:
      'Acts on the tasks with these ids, or on all tasks that match a filter, newest first. With a filter, one request handles a part; send its `next_cursor` as `cursor` to continue. Tasks submitted after the first request, including replays, are not changed. With the `first_cursor` of a count as `cursor`, tasks submitted after the count are not changed. Cancel and retry may be repeated; a replay with an Idempotency-Key creates each new task once.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: [...SUBMISSION_PARAMETERS],
    body: {
      isRequired: true,
      content: json(ref('BulkRequest'), {
        example: { action: 'retry', filter: { status: 'FAILURE', tag: 'bulk' } },
        ids: { action: 'cancel', ids: [EXAMPLE_ID] },
      }),
    },
    responses: {
      200: {
        description: 'Number of changed tasks, and the cursor of the next request.',
        content: json(ref('BulkResponse'), { done: { changed: 12, skipped: 1, next_cursor: null } }),
      },
    },
    problems: SUBMISSION_PROBLEMS,
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/cancel',
    id: 'cancel_task',
    summary: 'Cancel a task',
    description:
      'A waiting task is cancelled immediately. For a running task, the worker is asked to abort the attempt. Cancelling again changes nothing.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: ['TaskId'],
    responses: {
      200: { description: 'The task is cancelled.', content: json(ref('Task')) },
      202: { description: 'The task runs. Its cancellation is requested.', content: json(ref('Task')) },
    },
    problems: ['unknown_task', 'already_finished', 'unavailable'],
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/retry',
    id: 'retry_task',
    summary: 'Retry a task',
    description: 'Sets a FAILURE or CANCELLED task back to PENDING, with the same id and a new retry budget.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: ['TaskId'],
    responses: { 202: { description: 'The task is PENDING again.', content: json(ref('Task')) } },
    problems: ['unknown_task', 'not_finished', 'unavailable', 'outcome_unknown'],
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/replay',
    id: 'replay_task',
    summary: 'Replay a task',
    description: 'Submits a new task with the same options, and with the same input or an edited one.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: ['TaskId', ...SUBMISSION_PARAMETERS],
    body: {
      isRequired: false,
      content: json(ref('ReplayRequest'), { example: { options: { tags: ['replayed'] } } }),
    },
    responses: {
      202: {
        description: 'Accepted: the new task is committed.',
        headers: ['Location', 'Retry-After', 'Idempotent-Replayed'],
        content: json(ref('Task')),
      },
    },
    problems: ['unknown_definition', 'unknown_task', ...SUBMISSION_PROBLEMS],
  },
  {
    method: 'get',
    path: '/v1/definitions',
    id: 'list_definitions',
    summary: 'List the task definitions',
    description: 'All task definitions, with JSON Schemas of input and output.',
    tag: 'Tasks',
    scope: 'any key',
    parameters: ['IfNoneMatch'],
    responses: {
      200: { description: 'All definitions.', headers: ['ETag'], content: json(ref('Definitions')) },
      304: { description: 'The definitions have not changed.', headers: ['ETag'] },
    },
    problems: [],
  },
]

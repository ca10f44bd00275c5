// Operations of the tasks API, except submissions: definitions, read, follow, list, cancel, retry, replay.
// The routes take access and query from here, and /openapi.json is generated from all of it.
import { json, type Operations } from '../openapi/operation.ts'
import { existingResponse, SUBMISSION } from './submit-operations.ts'
import { EXAMPLE_ID, FINISHED_TASK } from './task-examples.ts'
import { countQuery, isSearch, listQuery } from './task-filters.ts'
import { logsQuery, readQuery, replay } from './task-requests.ts'
import {
  bulkResponse,
  compactTaskPage,
  definitions,
  logLines,
  task,
  taskCount,
  taskPage,
  taskStatus,
  taskWithAttempts,
} from './task-schemas.ts'

const BULK_REQUEST = { $ref: '#/components/schemas/BulkRequest' }

const { attempts: _, waits_for: __, ...LISTED_TASK } = FINISHED_TASK
const { input, result, ...COMMON } = LISTED_TASK
const COMPACT_TASK = {
  ...COMMON,
  input_excerpt: JSON.stringify(input),
  result_excerpt: JSON.stringify(result),
}

export const taskOperations = {
  get_task: {
    route: 'GET /v1/tasks/:id',
    summary: 'Read a task',
    description: 'With `wait`, the response is sent when the task has ended, or after this many seconds.',
    access: 'read or poll token',
    parameters: ['TaskId', 'IfNoneMatch'],
    query: readQuery,
    responses: {
      200: {
        description: 'The task with its failed and lost attempts.',
        headers: ['ETag', 'Retry-After'],
        content: json(taskWithAttempts, { finished: FINISHED_TASK }),
      },
      304: { description: 'The task has not changed.', headers: ['ETag', 'Retry-After'] },
    },
    problems: ['unavailable'],
  },
  task_status: {
    route: 'GET /task_status/:id',
    summary: 'Status of a task',
    description: 'A short form of `GET /v1/tasks/{id}`: status, result, error and progress.',
    access: 'read or poll token',
    parameters: ['TaskId'],
    responses: {
      200: {
        description: 'Status of the task.',
        content: json(taskStatus, {
          finished: {
            task_id: EXAMPLE_ID,
            status: 'SUCCESS',
            result: { text: 'elggaW' },
            error: null,
            progress: { fraction: 1, message: null },
          },
        }),
      },
    },
    problems: ['unavailable'],
  },
  follow_task: {
    route: 'GET /v1/tasks/:id/events',
    summary: 'Follow a task',
    description:
      'Server-sent events named `task`. Each contains the whole task after a change; its id is the version of the task. The stream ends after the final event.',
    access: 'read or poll token',
    parameters: ['TaskId', 'LastEventId'],
    responses: {
      200: { description: 'The events.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      204: { description: '`Last-Event-ID` is the id of the final event.' },
    },
    problems: ['unavailable'],
  },
  list_logs: {
    route: 'GET /v1/tasks/:id/logs',
    summary: 'Read the log of a task',
    description:
      'Log lines of all attempts in order. While an attempt runs, lines appear within about a second; when it has ended, its log is complete. At most 1,000 lines and 256 KiB are kept per attempt.',
    access: 'read or poll token',
    parameters: ['TaskId'],
    query: logsQuery,
    responses: {
      200: {
        description: 'Log lines, oldest first.',
        content: json(logLines, {
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
    problems: ['unavailable'],
  },
  list_tasks: {
    route: 'GET /v1/tasks',
    summary: 'List tasks',
    description:
      'Newest first. Each request examines a bounded number of tasks, so that its cost does not depend on the page or the filter. If few tasks match, a page can be short or empty and still have a `next_cursor`. Without `compact`, a page also ends when its inputs and results reach 4 MiB. Requests with `q` or an `input` field count against the rate limit.',
    access: 'read',
    isExpensive: isSearch,
    parameters: ['InputFields'],
    query: listQuery,
    responses: {
      200: {
        description: 'A page of tasks.',
        content: json(
          { anyOf: [taskPage, compactTaskPage] },
          {
            page: { data: [LISTED_TASK], next_cursor: null },
            compact: { data: [COMPACT_TASK], next_cursor: null },
          },
        ),
      },
    },
    problems: ['overloaded', 'unavailable'],
  },
  count_tasks: {
    route: 'GET /v1/tasks/count',
    summary: 'Count tasks',
    description:
      'Each request examines up to 5,000 tasks, newest first (3,000 if the filter reads inputs or texts), and counts those that match. Add up the counts until `next_cursor` is null. Each request counts against the rate limit.',
    access: 'read',
    isExpensive: () => true,
    parameters: ['InputFields'],
    query: countQuery,
    responses: {
      200: {
        description: 'Number of matching tasks among those examined.',
        content: json(taskCount, {
          all: { count: 12, first_cursor: EXAMPLE_ID, next_cursor: null },
        }),
      },
    },
    problems: ['overloaded', 'unavailable'],
  },
  act_on_tasks: {
    route: 'POST /v1/tasks/bulk',
    summary: 'Cancel, retry or replay many tasks',
    description:
      'Acts on the tasks with these ids, or on all tasks that match a filter, newest first. With a filter, one request handles a part; send its `next_cursor` as `cursor` to continue. Tasks submitted after the first request, including replays, are not changed. With the `first_cursor` of a count as `cursor`, tasks submitted after the count are not changed. Cancel and retry may be repeated; a replay with an Idempotency-Key creates each new task once.',
    access: 'operate',
    parameters: SUBMISSION.parameters,
    body: {
      content: json(BULK_REQUEST, {
        example: { action: 'retry', filter: { status: 'FAILURE', tag: 'bulk' } },
        ids: { action: 'cancel', ids: [EXAMPLE_ID] },
      }),
    },
    responses: {
      200: {
        description: 'Number of changed tasks, and the cursor of the next request.',
        content: json(bulkResponse, { done: { changed: 12, skipped: 1, next_cursor: null } }),
      },
    },
    problems: SUBMISSION.problems,
  },
  cancel_task: {
    route: 'POST /v1/tasks/:id/cancel',
    summary: 'Cancel a task',
    description:
      'A waiting task is cancelled immediately. For a running task, the worker is asked to abort the attempt. Cancelling again changes nothing.',
    access: 'operate',
    parameters: ['TaskId'],
    responses: {
      200: { description: 'The task is cancelled.', content: json(task) },
      202: { description: 'The task runs. Its cancellation is requested.', content: json(task) },
    },
    problems: ['already_finished', 'unavailable'],
  },
  retry_task: {
    route: 'POST /v1/tasks/:id/retry',
    summary: 'Retry a task',
    description: 'Sets a FAILURE or CANCELLED task back to PENDING, with the same id and a new retry budget.',
    access: 'operate',
    parameters: ['TaskId'],
    responses: { 202: { description: 'The task is PENDING again.', content: json(task) } },
    problems: ['not_finished', 'unique_task_exists', 'unavailable', 'outcome_unknown'],
  },
  replay_task: {
    route: 'POST /v1/tasks/:id/replay',
    summary: 'Replay a task',
    description: 'Submits a new task with the same options, and with the same input or an edited one.',
    access: 'operate',
    parameters: ['TaskId', ...SUBMISSION.parameters],
    body: {
      isOptional: true,
      content: json(replay, { example: { options: { tags: ['replayed'] } } }),
    },
    responses: {
      202: {
        description: 'Accepted: the new task is committed.',
        headers: ['Location', 'Retry-After', 'Idempotent-Replayed'],
        content: json(task),
      },
      200: existingResponse(task),
    },
    problems: ['unknown_definition', ...SUBMISSION.problems],
  },
  list_definitions: {
    route: 'GET /v1/definitions',
    summary: 'List the task definitions',
    description: 'All task definitions, with JSON Schemas of input and output.',
    access: 'any key',
    parameters: ['IfNoneMatch'],
    responses: {
      200: { description: 'All definitions.', headers: ['ETag'], content: json(definitions) },
      304: { description: 'The definitions have not changed.', headers: ['ETag'] },
    },
  },
} satisfies Operations

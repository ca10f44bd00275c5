// The tasks API beside submissions: definitions, read, follow, list, cancel, retry, replay.
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
  status: 'One status or several, with commas between.',
  name: 'Name of the definition, or several.',
  queue: 'Name of the queue, or several.',
  worker: 'Id of the worker that ran it last, or several.',
  tag: 'One of its tags.',
  id: 'Beginning of the id.',
  q: 'A text somewhere in name, tags, input, result or error; upper and lower case are the same.',
  created_after: 'Submitted at this moment or later.',
  created_before: 'Submitted before this moment.',
}

export const TASK_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/v1/tasks/{id}',
    id: 'get_task',
    summary: 'Read a task',
    description: 'With `wait`, answers as soon as the task has ended, or after so many seconds.',
    tag: 'Tasks',
    scope: 'read',
    takesPollToken: true,
    parameters: ['TaskId', 'IfNoneMatch'],
    query: describedQuery(readQuery, { wait: 'For how many seconds to wait for its end, at most.' }),
    answers: {
      200: {
        description: 'The task, with its failed attempts.',
        headers: ['ETag', 'Retry-After'],
        content: json(ref('TaskWithAttempts'), { finished: FINISHED_TASK }),
      },
      304: { description: 'Nothing has changed.', headers: ['ETag', 'Retry-After'] },
    },
    problems: ['invalid_query', 'unknown_task', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks/{id}/events',
    id: 'follow_task',
    summary: 'Follow a task',
    description:
      'Server-sent events named `task`: one with the whole task for every change, its id the version. Ends with the final one.',
    tag: 'Tasks',
    scope: 'read',
    takesPollToken: true,
    parameters: ['TaskId', 'LastEventId'],
    answers: {
      200: { description: 'The stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
      204: { description: 'The last version that was seen was the final one.' },
    },
    problems: ['unknown_task', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks/{id}/logs',
    id: 'list_logs',
    summary: 'Read what a task logged',
    description:
      'In order, over all of its attempts; at most a second late while it runs, and whole once an attempt has ended. Of every attempt at most 1,000 lines and 256 KiB are kept.',
    tag: 'Tasks',
    scope: 'read',
    takesPollToken: true,
    parameters: ['TaskId'],
    query: describedQuery(logsQuery, {
      after: 'The `next_after` of the answer before: only what came after that.',
      limit: 'How many lines, at most.',
    }),
    answers: {
      200: {
        description: 'Log lines, oldest first.',
        content: json(ref('LogLines'), {
          lines: {
            data: [
              {
                id: 17,
                attempt: 1,
                at: '2030-01-31T12:00:00.100Z',
                message: 'Handing it to the mail server',
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
      'Newest first. A page costs the same whatever its number and its filter: where few tasks match it may be short, or empty, and have a `next_cursor` all the same.',
    tag: 'Tasks',
    scope: 'read',
    parameters: ['InputFields'],
    query: describedQuery(listQuery, {
      ...FILTERS,
      compact: 'Without input and result, but with the beginning of each.',
      limit: 'How many to a page.',
      cursor: 'The `next_cursor` of the page before.',
    }),
    answers: {
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
    problems: ['invalid_query', 'unavailable'],
  },
  {
    method: 'get',
    path: '/v1/tasks/count',
    id: 'count_tasks',
    summary: 'Count tasks',
    description:
      'SharedQueries at some ten thousands of tasks, newest first, and says how many of them match: add up until `next_cursor` is null.',
    tag: 'Tasks',
    scope: 'read',
    parameters: ['InputFields'],
    query: describedQuery(countQuery, { ...FILTERS, cursor: 'The `next_cursor` of the count before.' }),
    answers: {
      200: {
        description: 'How many match among the next ones.',
        content: json(ref('TaskCount'), {
          all: { count: 12, first_cursor: EXAMPLE_ID, next_cursor: null },
        }),
      },
    },
    problems: ['invalid_query', 'unavailable'],
  },
  {
    method: 'post',
    path: '/v1/tasks/bulk',
    id: 'act_on_tasks',
    summary: 'Cancel, retry or replay many tasks',
    description:
      'Those with these ids, or all that a filter names, newest first; one request does a part, and the next goes on from its `next_cursor`. What is submitted after the first of them is left alone, and so are replays; with the `first_cursor` of a count as `cursor`, what was submitted after that. Retry and cancel may be repeated; a replay with an Idempotency-Key makes every task once.',
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
    answers: {
      200: {
        description: 'How many were changed, and where the next request begins.',
        content: json(ref('BulkAnswer'), { done: { changed: 12, skipped: 1, next_cursor: null } }),
      },
    },
    problems: SUBMISSION_PROBLEMS,
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/cancel',
    id: 'cancel_task',
    summary: 'Cancel a task',
    description: 'What waits is cancelled at once; what runs is asked to stop. Repeating it changes nothing.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: ['TaskId'],
    answers: {
      200: { description: 'It is cancelled.', content: json(ref('Task')) },
      202: { description: 'It is running, and its worker is told.', content: json(ref('Task')) },
    },
    problems: ['unknown_task', 'already_finished', 'unavailable'],
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/retry',
    id: 'retry_task',
    summary: 'Retry a task',
    description: 'A FAILURE or CANCELLED task waits again, under its id, with a fresh retry budget.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: ['TaskId'],
    answers: { 202: { description: 'It waits again.', content: json(ref('Task')) } },
    problems: ['unknown_task', 'not_finished', 'unavailable'],
  },
  {
    method: 'post',
    path: '/v1/tasks/{id}/replay',
    id: 'replay_task',
    summary: 'Replay a task',
    description: 'Submits it once more as a new task, with its own input or an edited one.',
    tag: 'Tasks',
    scope: 'operate',
    parameters: ['TaskId', ...SUBMISSION_PARAMETERS],
    body: {
      isRequired: false,
      content: json(ref('ReplayRequest'), { example: { options: { tags: ['replayed'] } } }),
    },
    answers: {
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
    description: 'What can be run, with JSON Schemas of input and output.',
    tag: 'Tasks',
    scope: 'any key',
    parameters: ['IfNoneMatch'],
    answers: {
      200: { description: 'All definitions.', headers: ['ETag'], content: json(ref('Definitions')) },
      304: { description: 'Nothing has changed.', headers: ['ETag'] },
    },
    problems: [],
  },
]

// Operations on schedules. The routes take access and query from here, and /openapi.json is generated from
// all of it.
import type { z } from 'zod'
import type { ErrorCode } from '../../base/errors.ts'
import { json, type Operation, type Operations } from '../openapi/operation.ts'
import { existingResponse } from '../tasks/submit-operations.ts'
import { EXAMPLE_ID } from '../tasks/task-examples.ts'
import { task } from '../tasks/task-schemas.ts'
import {
  previewQuery,
  schedule,
  schedulePage,
  schedulePreview,
  scheduleRequest,
  schedulesQuery,
  scheduleWithRuns,
} from './schedule-schemas.ts'

const EXAMPLE: z.infer<typeof schedule> = {
  name: 'nightly',
  definition: 'http_request',
  input: { url: 'https://example.com/nightly' },
  cron: '30 2 * * *',
  time_zone: 'Europe/Berlin',
  every_seconds: null,
  overlap: 'skip',
  catch_up: 'one',
  jitter_seconds: 60,
  source: 'api',
  is_paused: false,
  paused_at: null,
  next_at: '2030-02-01T01:30:00.000Z',
  waiting_at: null,
  last_tick_at: '2030-01-31T01:30:00.000Z',
  skipped: 0,
  problem: null,
  created_at: '2030-01-01T12:00:00.000Z',
  updated_at: '2030-01-01T12:00:00.000Z',
}

const { definition, input, cron, time_zone, jitter_seconds } = EXAMPLE
const REQUEST = { definition, input, cron, time_zone, jitter_seconds }

const PREVIEW = json(schedulePreview, {
  preview: {
    data: [{ tick_at: '2030-02-01T01:30:00.000Z', local_time: '2030-02-01T02:30:00+01:00' }],
  },
})

export const scheduleOperations = {
  list_schedules: {
    route: 'GET /v1/schedules',
    summary: 'List the schedules',
    description: 'All schedules in the order of their names: those of the code and those of the API.',
    access: 'read',
    query: schedulesQuery,
    responses: {
      200: {
        description: 'A page of schedules.',
        content: json(schedulePage, { page: { data: [EXAMPLE], next_cursor: null } }),
      },
    },
    problems: ['unavailable'],
  },
  get_schedule: {
    route: 'GET /v1/schedules/:name',
    summary: 'Read a schedule',
    description: 'The schedule with its last 20 tasks and their statuses.',
    access: 'read',
    parameters: ['ScheduleName'],
    responses: {
      200: {
        description: 'The schedule with the last tasks that it has made or met.',
        content: json(scheduleWithRuns, {
          schedule: {
            ...EXAMPLE,
            runs: [
              {
                tick_at: '2030-01-31T01:30:00.000Z',
                task_id: EXAMPLE_ID,
                status: 'SUCCESS',
                is_manual: false,
                is_existing: false,
              },
            ],
          },
        }),
      },
    },
    problems: ['unavailable'],
  },
  put_schedule: {
    route: 'PUT /v1/schedules/:name',
    summary: 'Create or replace a schedule',
    description:
      'A replaced schedule keeps its pause. It keeps its next tick unless its times have changed. A schedule of the code cannot be replaced.',
    access: 'operate',
    parameters: ['ScheduleName'],
    body: { content: json(scheduleRequest, { example: REQUEST }) },
    responses: {
      200: { description: 'The schedule was replaced.', content: json(schedule, { replaced: EXAMPLE }) },
      201: {
        description: 'The schedule was created.',
        content: json(schedule, { created: { ...EXAMPLE, last_tick_at: null } }),
      },
    },
    problems: ['schedule_in_code', 'unavailable'],
  },
  delete_schedule: {
    route: 'DELETE /v1/schedules/:name',
    summary: 'Delete a schedule',
    description: 'The tasks that it has made stay. A schedule of the code cannot be deleted.',
    access: 'operate',
    parameters: ['ScheduleName'],
    responses: { 204: { description: 'The schedule is deleted.' } },
    problems: ['schedule_in_code', 'unavailable'],
  },
  pause_schedule: scheduleOperation(
    'pause',
    'The schedule makes no tasks until it is resumed, also after a new deployment; its unfinished tasks continue. Pausing it again changes nothing.',
  ),
  resume_schedule: scheduleOperation(
    'resume',
    'The next tick is the first one from now on: ticks during the pause are not caught up.',
    ['schedule_refused'],
  ),
  run_schedule: {
    route: 'POST /v1/schedules/:name/run',
    summary: 'Make a task of a schedule now',
    description:
      'Makes a task now, also if the schedule is paused or if a task of it has not ended. The next tick stays as it is. The task counts for the overlaps of later ticks. If the definition has `unique`, the request can meet a task, as a submission can.',
    access: 'operate',
    parameters: ['ScheduleName', 'RequestId', 'Traceparent'],
    responses: {
      200: { ...existingResponse(task), headers: ['Location', 'Retry-After'] },
      202: {
        description: 'Accepted: the task is committed.',
        headers: ['Location', 'Retry-After'],
        content: json(task),
      },
    },
    problems: ['schedule_refused', 'unavailable', 'outcome_unknown'],
  },
  preview_schedule: {
    route: 'GET /v1/schedules/:name/preview',
    summary: 'Show the next ticks of a schedule',
    description: 'The next ticks, without jitter, as if the schedule were not paused.',
    access: 'read',
    isExpensive: () => true,
    parameters: ['ScheduleName'],
    query: previewQuery,
    responses: { 200: { description: 'The next ticks.', content: PREVIEW } },
    problems: ['schedule_refused', 'unavailable'],
  },
  preview_new_schedule: {
    route: 'POST /v1/schedules/preview',
    summary: 'Show the ticks that a schedule would have',
    description: 'Checks a schedule that is not stored, and returns its next ticks without jitter.',
    access: 'read',
    isExpensive: () => true,
    query: previewQuery,
    body: { content: json(scheduleRequest, { example: REQUEST }) },
    responses: { 200: { description: 'The next ticks.', content: PREVIEW } },
    problems: ['unavailable'],
  },
} satisfies Operations

function scheduleOperation(verb: 'pause' | 'resume', description: string, problems: ErrorCode[] = []) {
  return {
    route: `POST /v1/schedules/:name/${verb}`,
    summary: verb === 'pause' ? 'Pause a schedule' : 'Resume a schedule',
    description,
    access: 'operate',
    parameters: ['ScheduleName'],
    responses: { 200: { description: 'The schedule after the change.', content: json(schedule) } },
    problems: [...problems, 'unavailable'],
  } as const satisfies Operation
}

// Routes of the tasks API: definitions, submit, batch, bulk, read, events, logs, list, count, cancel, retry,
// replay.
import { type Context, Hono } from 'hono'
import type { TaskRow } from '../../store/schema.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { isNotModified, tagOf } from '../http/entity-tag.ts'
import { jsonResponse } from '../http/json-response.ts'
import { jsonBody } from '../http/request-body.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { query } from '../http/request-query.ts'
import { submitBatch } from './batch.ts'
import { actOnMany } from './bulk.ts'
import { createMasking, requireReveal } from './masking.ts'
import { readTask, readTaskWhenEnded } from './read-task.ts'
import { replayedHeader, submissionResponse } from './submission-response.ts'
import { SUBMISSION } from './submit-operations.ts'
import { chosenOptions, originOf } from './submit-options.ts'
import { streamTask } from './task-events.ts'
import { bulkRequest, filterOf, filterQuery } from './task-filters.ts'
import { taskOperations as operations } from './task-operations.ts'
import { batchSubmission, replay, submission } from './task-requests.ts'
import {
  compactViewOfTask,
  viewOfAttempt,
  viewOfDefinition,
  viewOfLogLine,
  viewOfTask,
  viewOfWait,
} from './task-view.ts'

export function createTaskRoutes(given: ApiDependencies) {
  const masking = createMasking(given)
  const dependencies = { ...given, masking }
  const { registry, service, taskReader, taskList, heldReader, logStore, admit, apiKeys } = dependencies
  // The response of GET /v1/definitions and its entity tag are built once, because definitions are part of
  // the code and do not change while the process runs.
  const definitions = { data: registry.submittable.map(viewOfDefinition) }
  const definitionsTag = tagOf(JSON.stringify(definitions))

  const requireDefinition = (c: Context<ApiEnv, '/:name'>) => void registry.get(c.req.param('name'))

  return new Hono<ApiEnv>()
    .get('/v1/definitions', admit(operations.list_definitions), (c) => {
      c.header('ETag', definitionsTag)
      c.header('Cache-Control', 'no-cache')
      if (isNotModified(c, definitionsTag)) return c.body(null, 304)
      return c.json(definitions)
    })
    .post(
      '/v1/tasks/batch',
      admit(SUBMISSION),
      jsonBody(batchSubmission, { skipsNumberCheck: true }),
      async (c) => {
        const { response, isReplayed } = await submitBatch(dependencies, c, c.req.valid('json'))
        return jsonResponse(c, response, 202, replayedHeader({ isReplayed }))
      },
    )
    .post('/v1/tasks/bulk', admit(operations.act_on_tasks), jsonBody(bulkRequest), async (c) =>
      c.json(await actOnMany(dependencies, c, c.req.valid('json'))),
    )
    .post('/v1/tasks/:name', admit(SUBMISSION, requireDefinition), jsonBody(submission), async (c) => {
      const body = c.req.valid('json')
      const options = { ...chosenOptions(body.options), ...originOf(c, c.req.path, body) }
      const task = await service.submit(c.req.param('name'), body.input, options, ['input'])
      return submissionResponse(c, masking, task)
    })
    .get('/task_status/:id', admit(operations.task_status), async (c) => {
      const row = masking.row(await readTask(dependencies, c.req.param('id')))
      c.header('Cache-Control', 'no-store')
      return c.json({
        task_id: row.id,
        status: row.status,
        result: row.result ?? null,
        error: row.error,
        progress: { fraction: row.progressFraction, message: row.progressMessage },
      })
    })
    .get(
      '/v1/tasks/count',
      admit(operations.count_tasks),
      filterQuery(operations.count_tasks.query),
      async (c) => {
        const { cursor, ...filter } = c.req.valid('query')
        const { count, first, next } = await taskList.count(masking.filter(c, filterOf(filter)), cursor)
        return c.json({ count, first_cursor: first, next_cursor: next })
      },
    )
    .get('/v1/tasks/:id', admit(operations.get_task), query(operations.get_task.query), async (c) => {
      const { wait, reveal = false } = c.req.valid('query')
      if (reveal) requireReveal(c, apiKeys)
      const waitMs = wait * 1_000
      const id = c.req.param('id')
      // Reads without `wait` avoid `c.req.raw`: it builds a Request, which costs more than the rest of the
      // handler. A wait needs its AbortSignal, which reports that the client has disconnected.
      const row =
        waitMs > 0
          ? await readTaskWhenEnded(dependencies, id, waitMs, c.req.raw.signal)
          : await readTask(dependencies, id)
      const tag = `"${row.version}${reveal ? '-revealed' : ''}"`
      c.header('ETag', tag)
      c.header('Cache-Control', reveal ? 'no-store' : 'private, no-cache')
      if (row.finishedAt === null) c.header('Retry-After', '1')
      if (isNotModified(c, tag)) return c.body(null, 304)
      const history = mayHaveAttempts(row) ? await taskReader.attemptsOf(row.id) : []
      const waits_for = isHeld(row) ? viewOfWait(await heldReader.waitOf(row.id)) : null
      if (reveal) return c.json({ ...viewOfTask(row), waits_for, attempts: history.map(viewOfAttempt) })
      const attempts = history.map((attempt) => viewOfAttempt(masking.attempt(row.name, attempt)))
      return c.json({ ...viewOfTask(masking.row(row)), waits_for, attempts })
    })
    .get('/v1/tasks/:id/events', admit(operations.follow_task), (c) =>
      streamTask(dependencies, c, c.req.param('id')),
    )
    .get('/v1/tasks/:id/logs', admit(operations.list_logs), query(operations.list_logs.query), async (c) => {
      const { after, limit } = c.req.valid('query')
      const { id } = await readTask(dependencies, c.req.param('id'))
      const lines = await logStore.list(id, { after, limit })
      c.header('Cache-Control', 'private, no-cache')
      return c.json({ data: lines.map(viewOfLogLine), next_after: lines.at(-1)?.id ?? after })
    })
    .get('/v1/tasks', admit(operations.list_tasks), filterQuery(operations.list_tasks.query), async (c) => {
      const { limit, cursor, compact, ...filter } = c.req.valid('query')
      const page = { before: cursor, limit }
      const allowed = masking.filter(c, filterOf(filter))
      if (compact) {
        const { rows, next } = await taskList.listCompact(allowed, page, masking.hidden)
        return c.json({ data: rows.map(masking.compactRow).map(compactViewOfTask), next_cursor: next })
      }
      const { rows, next } = await taskList.list(allowed, page)
      return c.json({ data: rows.map(masking.row).map(viewOfTask), next_cursor: next })
    })
    .post('/v1/tasks/:id/cancel', admit(operations.cancel_task), async (c) => {
      const { id } = await readTask(dependencies, c.req.param('id'))
      const outcome = await service.cancel(id)
      return c.json(
        viewOfTask(masking.row(await readTask(dependencies, id))),
        outcome === 'requested' ? 202 : 200,
      )
    })
    .post('/v1/tasks/:id/retry', admit(operations.retry_task), async (c) => {
      const { id } = await readTask(dependencies, c.req.param('id'))
      await service.retry(id)
      return c.json(viewOfTask(masking.row(await readTask(dependencies, id))), 202)
    })
    .post(
      '/v1/tasks/:id/replay',
      admit(operations.replay_task),
      jsonBody(replay, operations.replay_task.body),
      async (c) => {
        const { id } = await readTask(dependencies, c.req.param('id'))
        const { options: chosen, ...edited } = c.req.valid('json')
        // An Idempotency-Key is valid for one operation, which is identified by this path. The path contains
        // the id of the row, because clients may write the id of the same task in upper or lower case.
        const operation = `/v1/tasks/${id}/replay`
        const options = { ...chosenOptions(chosen), ...originOf(c, operation, c.req.valid('json')) }
        return submissionResponse(c, masking, await service.replay(id, edited, options))
      },
    )
}

// Version of a task whose first attempt has succeeded: one change by the claim, one by the end.
const VERSION_WITHOUT_MORE = 2

/**
 * Checks whether a task may have rows in `attempts`, which saves a query for most tasks. A task has none
 * until its first attempt has ended, and none if that attempt succeeded, unless a late end was recorded,
 * which changes the version. `failures` is not used, because a manual retry resets it.
 */
function mayHaveAttempts({ attempt, status, version }: TaskRow): boolean {
  if (attempt !== 1) return attempt > 1
  if (status === 'SUCCESS') return version > VERSION_WITHOUT_MORE
  return status !== 'STARTED'
}

/** Whether a task waits as a held task. Its `enqueued_at` is `infinity`, which the drivers return as no valid time. */
function isHeld({ status, enqueuedAt }: TaskRow): boolean {
  return (status === 'PENDING' || status === 'RETRY') && !Number.isFinite(Number(enqueuedAt))
}

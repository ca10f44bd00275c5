// The tasks API: definitions, submit, read, list, cancel, retry.
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import type { z } from 'zod'
import type { TaskFilter } from '../store/task-reader.ts'
import type { SubmitOptions } from '../task-service.ts'
import type { ApiDependencies } from './dependencies.ts'
import { isKnown, tagOf } from './etag.ts'
import { jsonResponse } from './json-response.ts'
import { readTask } from './read-task.ts'
import { jsonBody, listQuery, query, readQuery, submission } from './task-requests.ts'
import { viewOfAttempt, viewOfDefinition, viewOfNewTask, viewOfTask } from './task-view.ts'

export function createTaskRoutes(dependencies: ApiDependencies) {
  const { registry, service, taskReader } = dependencies
  // They change with the code only.
  const definitions = { data: registry.all.map(viewOfDefinition) }
  const definitionsTag = tagOf(JSON.stringify(definitions))

  const requireDefinition = createMiddleware<{ Variables: object }, '/:name'>(async (c, next) => {
    registry.get(c.req.param('name'))
    await next()
  })

  return new Hono()
    .get('/definitions', (c) => {
      c.header('ETag', definitionsTag)
      c.header('Cache-Control', 'no-cache')
      if (isKnown(c, definitionsTag)) return c.body(null, 304)
      return c.json(definitions)
    })
    .post('/tasks/:name', requireDefinition, jsonBody(submission), async (c) => {
      const { input, options } = c.req.valid('json')
      const task = await service.submit(c.req.param('name'), input, submitOptionsOf(options), ['input'])
      return jsonResponse(viewOfNewTask(task), 202, { Location: `/v1/tasks/${task.id}`, 'Retry-After': '1' })
    })
    .get('/tasks/:id', query(readQuery), async (c) => {
      const waitMs = c.req.valid('query').wait * 1_000
      // Without a wait the request itself is not needed, and making it costs more than all the rest.
      const signal = waitMs > 0 ? c.req.raw.signal : undefined
      const row = await readTask(dependencies, c.req.param('id'), waitMs, signal)
      const tag = `"${row.version}"`
      c.header('ETag', tag)
      c.header('Cache-Control', 'private, no-cache')
      if (row.finishedAt === null) c.header('Retry-After', '1')
      if (isKnown(c, tag)) return c.body(null, 304)
      // A first attempt under way, or one that went well, has no history.
      const history = row.attempt > 1 || row.failures > 0 ? await taskReader.attemptsOf(row.id) : []
      return c.json({ ...viewOfTask(row), attempts: history.map(viewOfAttempt) })
    })
    .get('/tasks', query(listQuery), async (c) => {
      const { limit, cursor, ...filter } = c.req.valid('query')
      // One more than asked for tells whether there is a next page.
      const rows = await taskReader.list(filterOf(filter), { before: cursor, limit: limit + 1 })
      const page = rows.slice(0, limit)
      return c.json({
        data: page.map(viewOfTask),
        next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      })
    })
    .post('/tasks/:id/cancel', async (c) => {
      const { id } = await readTask(dependencies, c.req.param('id'))
      const outcome = await service.cancel(id)
      return c.json(viewOfTask(await readTask(dependencies, id)), outcome === 'requested' ? 202 : 200)
    })
    .post('/tasks/:id/retry', async (c) => {
      const { id } = await readTask(dependencies, c.req.param('id'))
      await service.retry(id)
      return c.json(viewOfTask(await readTask(dependencies, id)), 202)
    })
}

function submitOptionsOf(options: z.output<typeof submission>['options'] = {}): SubmitOptions {
  const { run_at, delay_seconds, max_retries, timeout_seconds, queue, tags } = options
  return {
    ...(run_at !== undefined && { runAt: new Date(run_at) }),
    ...(delay_seconds !== undefined && { runAt: new Date(Date.now() + delay_seconds * 1_000) }),
    ...(timeout_seconds !== undefined && { timeoutMs: Math.round(timeout_seconds * 1_000) }),
    maxRetries: max_retries,
    queue,
    tags,
  }
}

function filterOf(filter: Omit<z.output<typeof listQuery>, 'limit' | 'cursor'>): TaskFilter {
  return {
    statuses: filter.status,
    name: filter.name,
    queue: filter.queue,
    workerId: filter.worker,
    tag: filter.tag,
    idPrefix: filter.id,
    createdAfter: filter.created_after === undefined ? undefined : new Date(filter.created_after),
    createdBefore: filter.created_before === undefined ? undefined : new Date(filter.created_before),
  }
}

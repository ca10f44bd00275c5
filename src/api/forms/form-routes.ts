// Routes of the form endpoints: notify, task_status, submit_task and check_task.
import { type Context, Hono } from 'hono'
import { AppError } from '../../base/errors.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { jsonResponse } from '../http/json-response.ts'
import { readFields } from '../http/request-body.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { readTask } from '../tasks/read-task.ts'
import { pollToken, replayedHeader } from '../tasks/submission-response.ts'
import { originOf } from '../tasks/submit-options.ts'
import { coerceTexts, FORM_TYPES } from './form-fields.ts'
import { formOperations } from './form-operations.ts'
import { submittedPage, taskPage } from './form-pages.ts'

// Headers of the HTML pages. The policy allows only inline styles: the pages load no files or scripts.
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
}

export function createFormRoutes(dependencies: ApiDependencies) {
  const { registry, service, admit } = dependencies
  const operations = formOperations(registry)

  return new Hono<ApiEnv>()
    .on('POST', ['/notify', '/notify/'], admit(operations.notify), async (c) => {
      const { fields } = await readFields(c)
      const task = await service.submit('notify', fields, originOf(c, '/notify', fields))
      const body = { task_id: task.id, status: 'PENDING' as const, ...pollToken(c, task.id) }
      return jsonResponse(c, body, 202, { Location: `/task_status/${task.id}`, ...replayedHeader(task) })
    })
    .get('/task_status/:id', admit(operations.task_status), async (c) => {
      const row = await readTask(dependencies, c.req.param('id'))
      c.header('Cache-Control', 'no-store')
      return c.json({
        task_id: row.id,
        status: row.status,
        result: row.result ?? null,
        error: row.error,
        progress: { fraction: row.progressFraction, message: row.progressMessage },
      })
    })
    .post('/submit_task', admit(operations.submit_form), async (c) => {
      const { fields, isForm } = await readFields(c)
      const { form_type: formType, ...given } = fields
      if (typeof formType !== 'string' || !FORM_TYPES.includes(formType)) throw unknownFormType()
      const input = isForm ? coerceTexts(registry.get(formType), given) : given
      const task = await service.submit(formType, input, originOf(c, '/submit_task', fields))
      const token = pollToken(c, task.id)
      for (const [name, value] of Object.entries(replayedHeader(task))) c.header(name, value)
      if (isForm) return c.redirect(`/check_task/${task.id}${queryOf(token)}`, 303)
      const body = { task_id: task.id, status_url: `/task_status/${task.id}`, ...token }
      return c.json(body, 202)
    })
    .get('/submit_task', admit(operations.submit_link), async (c) => {
      c.header('Cache-Control', 'no-store')
      // GET /submit_task submits a task, so only a click may send it. HEAD and prefetches get an error.
      if (c.req.method === 'HEAD' || isPrefetch(c))
        throw new AppError(
          'refused_prefetch',
          'This link submits a task: it accepts neither HEAD nor a prefetch',
        )
      const input = coerceTexts(registry.get('divide'), { x: '10', y: '2', ...c.req.query() })
      const task = await service.submit('divide', input, originOf(c, '/submit_task', input))
      for (const [name, value] of Object.entries(replayedHeader(task))) c.header(name, value)
      return c.html(submittedPage(task.id, queryOf(pollToken(c, task.id))), 200, PAGE_HEADERS)
    })
    .get('/check_task/:id', admit(operations.check_task), async (c) => {
      const row = await readTask(dependencies, c.req.param('id'))
      c.header('Cache-Control', 'no-store')
      c.header('Vary', 'Accept')
      if (wantsJson(c))
        return c.json({ task_id: row.id, status: row.status, result: row.result ?? null, error: row.error })
      return c.html(taskPage(row, queryOf({ poll_token: c.req.query('poll_token') })), 200, PAGE_HEADERS)
    })
}

/**
 * Returns the query string for a link to a task: the poll token, which lets a browser without an API key read
 * the task, or an empty string without a token.
 */
function queryOf({ poll_token: token }: { poll_token?: string }): string {
  return token === undefined ? '' : `?${new URLSearchParams({ poll_token: token })}`
}

function unknownFormType(): AppError {
  const detail = `must be one of ${FORM_TYPES.join(', ')}`
  return new AppError('invalid_input', `form_type ${detail}`, {
    faults: [{ pointer: '#/form_type', detail }],
  })
}

/** Checks whether a browser prefetches or prerenders the link, before the user has clicked it. */
function isPrefetch(c: Context): boolean {
  return /prefetch|prerender/i.test(`${c.req.header('Sec-Purpose') ?? ''} ${c.req.header('Purpose') ?? ''}`)
}

function wantsJson(c: Context): boolean {
  const accept = c.req.header('Accept') ?? ''
  return accept.includes('json') && !accept.includes('text/html')
}

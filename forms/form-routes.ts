// Routes of the form endpoints (notify, submit_task and check_task), for HTML forms and for clients of older
// systems.
import { type Context, Hono } from 'hono'
import type { ApiEnv, ProjectRoutes, RouteTools } from 'waggle-tasks'
import { FORMS, FORMS_OPENAPI, type FormType, formOperations as operations } from './form-operations.ts'
import { submittedPage, taskPage } from './form-pages.ts'
import { FORM_REQUESTS } from './form-requests.ts'

// Headers of the HTML pages. The policy allows only inline styles: the pages load no files or scripts.
const PAGE_HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
}

export function createFormRoutes(tools: RouteTools): ProjectRoutes {
  const { admit, submit, readTask, readFields, coerceTexts, json, problem } = tools
  const app = new Hono<ApiEnv>()
    .on('POST', ['/notify', '/notify/'], admit(operations.notify), async (c) => {
      const { fields } = await readFields(c)
      const { id, ...token } = await submit(c, 'notify', fields, { operation: '/notify' })
      const body = { task_id: id, status: 'PENDING' as const, ...token }
      return json(c, body, 202, { Location: `/task_status/${id}` })
    })
    .post('/submit_task', admit(operations.submit_form), async (c) => {
      const { fields, isForm } = await readFields(c)
      const { form_type: formType, ...given } = fields
      if (!isFormType(formType)) {
        const detail = `must be one of ${Object.keys(FORMS).join(', ')}`
        throw problem('invalid_input', `form_type ${detail}`, [{ pointer: '#/form_type', detail }])
      }
      const input = isForm ? coerceTexts(formType, given) : given
      const { id, ...token } = await submit(c, formType, input, { body: fields })
      if (isForm) return c.redirect(`/check_task/${id}${queryOf(token)}`, 303)
      return c.json({ task_id: id, status_url: `/task_status/${id}`, ...token }, 202)
    })
    .get('/submit_task', admit(operations.submit_link), async (c) => {
      c.header('Cache-Control', 'no-store')
      // GET /submit_task submits a task, so only a click may send it. HEAD and prefetches get an error.
      if (c.req.method === 'HEAD' || isPrefetch(c))
        throw problem('refused_prefetch', 'This link submits a task: it accepts neither HEAD nor a prefetch')
      const input = coerceTexts('divide', { x: '10', y: '2', ...c.req.query() })
      const { id, ...token } = await submit(c, 'divide', input)
      return c.html(submittedPage(id, queryOf(token)), 200, PAGE_HEADERS)
    })
    .get('/check_task/:id', admit(operations.check_task), async (c) => {
      const task = await readTask(c.req.param('id'))
      c.header('Cache-Control', 'no-store')
      c.header('Vary', 'Accept')
      if (wantsJson(c)) {
        const { id, status, result, error } = task
        return c.json({ task_id: id, status, result, error })
      }
      return c.html(taskPage(task, queryOf({ poll_token: c.req.query('poll_token') })), 200, PAGE_HEADERS)
    })
  return { app, openapi: FORMS_OPENAPI, requests: FORM_REQUESTS }
}

/**
 * Returns the query string for a link to a task: the poll token, which lets a browser without an API key read
 * the task, or an empty string without a token.
 */
function queryOf({ poll_token: token }: { poll_token?: string }): string {
  return token === undefined ? '' : `?${new URLSearchParams({ poll_token: token })}`
}

function isFormType(value: unknown): value is FormType {
  return typeof value === 'string' && Object.hasOwn(FORMS, value)
}

/** Checks whether a browser prefetches or prerenders the link, before the user has clicked it. */
function isPrefetch(c: Context): boolean {
  return /prefetch|prerender/i.test(`${c.req.header('Sec-Purpose') ?? ''} ${c.req.header('Purpose') ?? ''}`)
}

function wantsJson(c: Context): boolean {
  const accept = c.req.header('Accept') ?? ''
  return accept.includes('json') && !accept.includes('text/html')
}

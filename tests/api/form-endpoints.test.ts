// The form endpoints: notify, task_status, submit_task and check_task.
import { setTimeout as sleepUntilAborted } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../src/definitions/define.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const MARKUP = `<script>alert("1")</script> & 'more'`
const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
const UNSERVED = { queue: 'unserved' }

const endless = defineTask({
  name: 'endless',
  title: 'Endless',
  description: 'Reports a progress message with markup and runs until it is aborted.',
  input: z.object({}),
  output: z.object({}),
  example: {},
  async run(_input, { signal, progress }) {
    progress(0.25, MARKUP)
    return sleepUntilAborted(3_600_000, {}, { signal })
  },
})

const failing = defineTask({
  name: 'failing',
  title: 'Failing',
  description: 'Fails with a message that contains markup. Its retry delay is longer than any test.',
  input: z.object({}),
  output: z.object({}),
  example: {},
  backoff: { baseMs: 3_600_000, capMs: 3_600_000 },
  async run() {
    throw new Error(MARKUP)
  },
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ definitions: [endless, failing] })
})
afterAll(() => system.stop())

describe.each(['/notify', '/notify/'])('POST %s', (path) => {
  test('submits a notification from JSON and responds with 202 without a redirect', async () => {
    const { status, headers, body } = await system.request('POST', path, { email: 'ada@example.com' })
    const { task_id: id } = body as { task_id: string }
    expect({ status, body }).toEqual({ status: 202, body: { task_id: id, status: 'PENDING' } })
    expect(headers.get('Location')).toBe(`/task_status/${id}`)
    expect(await system.task(id)).toMatchObject({ name: 'notify', input: { email: 'ada@example.com' } })
  })

  test.each([
    ['an HTML form', new URLSearchParams({ email: 'form@example.com' })],
    ['a multipart form', multipart({ email: 'form@example.com' })],
  ])('submits a notification from %s', async (_kind, form) => {
    const response = await postForm(path, form)
    const { task_id: id, status } = (await response.json()) as { task_id: string; status: string }
    expect([response.status, status]).toEqual([202, 'PENDING'])
    expect(response.headers.get('Location')).toBe(`/task_status/${id}`)
    expect((await system.task(id)).input).toEqual({ email: 'form@example.com' })
  })

  test.each([
    [{ email: 'not an address' }],
    [{ email: '' }],
    [{ email: null }],
    [{ email: 7 }],
    [{ email: ['ada@example.com'] }],
    [{}],
  ])('rejects %j with a pointer to the e-mail address', async (fields) => {
    const { status, body } = await system.request('POST', path, fields)
    expect({ status, body }).toMatchObject({ status: 422, body: { errors: [{ pointer: '#/email' }] } })
  })
})

describe('GET /task_status/{id}', () => {
  test('returns PENDING for a waiting task, without result, error and progress', async () => {
    const { id } = await system.submit('reverse', { text: 'x' }, UNSERVED)
    const { status, body } = await system.request('GET', `/task_status/${id}`)
    const progress = { fraction: 0, message: null }
    expect(status).toBe(200)
    expect(body).toEqual({ task_id: id, status: 'PENDING', result: null, error: null, progress })
  })

  test('returns the progress of a running task', async () => {
    const id = await taskWith('STARTED')
    expect((await system.request('GET', `/task_status/${id}`)).body).toMatchObject({
      status: 'STARTED',
      progress: { fraction: 0.25, message: MARKUP },
    })
  })

  test('returns the result of a successful task', async () => {
    const id = await taskWith('SUCCESS')
    expect((await system.request('GET', `/task_status/${id}`)).body).toEqual({
      task_id: id,
      status: 'SUCCESS',
      result: { text: MARKUP },
      error: null,
      progress: { fraction: 1, message: null },
    })
  })

  test('returns the error of a failed task', async () => {
    const id = await taskWith('FAILURE')
    expect((await system.request('GET', `/task_status/${id}`)).body).toMatchObject({
      task_id: id,
      status: 'FAILURE',
      result: null,
      error: { name: 'Error', message: MARKUP, retryable: true },
    })
  })

  test.each(['RETRY', 'CANCELLED'] as const)('returns the status of a %s task', async (status) => {
    const id = await taskWith(status)
    expect((await system.request('GET', `/task_status/${id}`)).body).toMatchObject({ task_id: id, status })
  })

  test.each([UNKNOWN_ID, 'no-id-at-all', '1', `${UNKNOWN_ID}0`])('responds with 404 for %s', async (id) => {
    const { status, body } = await system.request('GET', `/task_status/${id}`)
    expect({ status, body }).toMatchObject({ status: 404, body: { status: 404 } })
  })
})

describe('POST /submit_task', () => {
  const FIELDS = {
    email: { recipient: 'ada@example.com', subject: 'Hello', body: 'A word' },
    reverse: { text: 'abc' },
    sentiment: { text: 'good' },
    divide: { x: 10, y: 4 },
  }

  test.each(Object.entries(FIELDS))('submits %s from JSON with flat fields', async (name, fields) => {
    const { status, body } = await system.request('POST', '/submit_task', { form_type: name, ...fields })
    const { task_id: id, status_url: url } = body as { task_id: string; status_url: string }
    expect({ status, body }).toEqual({ status: 202, body: { task_id: id, status_url: url } })
    expect(await system.task(id)).toMatchObject({ name, input: fields })
    expect(await system.request('GET', url)).toMatchObject({ status: 200, body: { task_id: id } })
  })

  test.each(Object.entries(FIELDS))(
    'redirects a browser from a form for %s to the page of the task',
    async (name, fields) => {
      const form = new URLSearchParams({ form_type: name })
      for (const [field, value] of Object.entries(fields)) form.set(field, String(value))
      const response = await postForm('/submit_task', form)
      const location = response.headers.get('Location') ?? ''
      expect(response.status).toBe(303)
      expect(location).toMatch(/^\/check_task\/[0-9a-f-]{36}$/)
      expect(await system.task(location.slice('/check_task/'.length))).toMatchObject({ name, input: fields })
    },
  )

  test.each(['nonsense', 'notify', 'constructor', '', 7, null, undefined])(
    'rejects form_type %j and lists the known form types',
    async (formType) => {
      const { status, body } = await system.request('POST', '/submit_task', { form_type: formType })
      expect({ status, body }).toMatchObject({ status: 422, body: { errors: [{ pointer: '#/form_type' }] } })
      expect((body as { detail: string }).detail).toMatch(/email, reverse, sentiment, divide/)
    },
  )

  test('rejects a form with a pointer to each invalid field', async () => {
    const form = new URLSearchParams({ form_type: 'divide', x: 'ten', y: '' })
    const response = await postForm('/submit_task', form)
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ errors: [{ pointer: '#/x' }, { pointer: '#/y' }] })
  })

  test('converts strings to numbers in forms only, not in JSON', async () => {
    const fields = { form_type: 'divide', x: '10', y: 2 }
    const { status, body } = await system.request('POST', '/submit_task', fields)
    expect({ status, body }).toMatchObject({ status: 422, body: { errors: [{ pointer: '#/x' }] } })
  })
})

describe('GET /submit_task', () => {
  test('submits a division and returns a page with the id and a link', async () => {
    const response = await fetch(`${system.url}/submit_task?x=10&y=2`)
    const page = await response.text()
    const [, id = ''] = /href="\/check_task\/([0-9a-f-]{36})"/.exec(page) ?? []
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toMatch(/^text\/html/)
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(page).toContain(`<code>${id}</code>`)
    const { headers } = await fetch(`${system.url}/check_task/${id}`)
    for (const policy of [response.headers, headers].map((of) => of.get('Content-Security-Policy')))
      expect(policy).toMatch(/^default-src 'none'; style-src 'unsafe-inline'; .*form-action 'none'$/)
    expect(await system.task(id)).toMatchObject({ name: 'divide', input: { x: 10, y: 2 } })
  })

  test.each([
    ['Sec-Purpose', 'prefetch'],
    ['Sec-Purpose', 'prefetch;prerender'],
    ['Purpose', 'prefetch'],
  ])('submits nothing for a prefetch request with %s: %s', async (name, value) => {
    const before = await taskCount()
    const response = await fetch(`${system.url}/submit_task?x=10&y=2`, { headers: { [name]: value } })
    expect(response.status).toBe(400)
    expect(response.headers.get('Content-Type')).toBe('application/problem+json')
    expect(response.headers.get('Cache-Control')).toBe('no-store')
    expect(await taskCount()).toBe(before)
  })

  test('rejects a value that is not a number, with a pointer', async () => {
    const { status, body } = await system.request('GET', '/submit_task?x=ten&y=2')
    expect({ status, body }).toMatchObject({ status: 422, body: { errors: [{ pointer: '#/x' }] } })
  })
})

describe('GET /check_task/{id}', () => {
  test.each([
    ['PENDING', 'Processing'],
    ['STARTED', 'Processing'],
    ['RETRY', 'Processing'],
    ['SUCCESS', 'Success'],
    ['FAILURE', 'Failed'],
    ['CANCELLED', 'Cancelled'],
  ] as const)('the page of a %s task says %s', async (status, word) => {
    const id = await taskWith(status)
    const { page, headers } = await pageOf(id)
    expect(headers.get('Content-Type')).toMatch(/^text\/html/)
    expect(headers.get('Cache-Control')).toBe('no-store')
    expect(page).toContain(`<h1>Task ${word}</h1>`)
    expect(page).toContain(id)
    expect(page.includes('http-equiv="refresh"')).toBe(word === 'Processing')
  })

  test.each([
    ['the result', 'SUCCESS'],
    ['the error', 'FAILURE'],
    ['the progress message', 'STARTED'],
  ] as const)('%s is shown as text, never as markup', async (_what, status) => {
    const { page } = await pageOf(await taskWith(status))
    expect(page).toContain('&lt;script&gt;alert(')
    expect(page).not.toContain('<script')
  })

  test('is JSON if Accept asks for JSON', async () => {
    const id = await taskWith('SUCCESS')
    const response = await fetch(`${system.url}/check_task/${id}`, {
      headers: { Accept: 'application/json' },
    })
    expect(response.headers.get('Content-Type')).toMatch(/^application\/json/)
    expect(await response.json()).toMatchObject({ task_id: id, status: 'SUCCESS', result: { text: MARKUP } })
  })

  test('is HTML for the Accept header of a browser', async () => {
    const { page } = await pageOf(await taskWith('SUCCESS'), 'text/html,application/json;q=0.9,*/*;q=0.8')
    expect(page).toContain('<!doctype html>')
  })

  test.each([UNKNOWN_ID, 'no-id-at-all'])('responds with 404 for %s', async (id) => {
    expect((await system.request('GET', `/check_task/${id}`)).status).toBe(404)
  })
})

/** Returns the id of a task that stays in this status. */
const taskWith = memoized(
  async (status: 'PENDING' | 'STARTED' | 'RETRY' | 'SUCCESS' | 'FAILURE' | 'CANCELLED') => {
    if (status === 'PENDING') return (await system.submit('endless', {}, UNSERVED)).id
    if (status === 'CANCELLED') {
      const { id } = await system.submit('endless', {}, UNSERVED)
      await system.request('POST', `/v1/tasks/${id}/cancel`)
      return id
    }
    if (status === 'STARTED') {
      const { id } = await system.submit('endless', {})
      await system.taskWhen(id, ({ progress }) => progress.message === MARKUP)
      return id
    }
    const { id } =
      status === 'SUCCESS'
        ? await system.submit('reverse', { text: [...MARKUP].reverse().join('') })
        : await system.submit('failing', {}, status === 'FAILURE' ? { max_retries: 0 } : {})
    await system.taskWhen(id, (task) => task.status === status)
    return id
  },
)

function memoized<Key, Value>(make: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
  const known = new Map<Key, Promise<Value>>()
  return (key) => {
    const value = known.get(key) ?? make(key)
    known.set(key, value)
    return value
  }
}

async function pageOf(id: string, accept = 'text/html') {
  const response = await fetch(`${system.url}/check_task/${id}`, { headers: { Accept: accept } })
  expect(response.status).toBe(200)
  return { page: await response.text(), headers: response.headers }
}

function postForm(path: string, body: URLSearchParams | FormData) {
  return fetch(`${system.url}${path}`, { method: 'POST', body, redirect: 'manual' })
}

function multipart(fields: Record<string, string>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  return form
}

async function taskCount(): Promise<number> {
  return Object.values(await system.countByStatus()).reduce((sum, count) => sum + count, 0)
}

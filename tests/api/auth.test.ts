// Authorization: API keys, scopes, poll tokens, and public routes.
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createApp } from '../../src/api/app.ts'
import { createApiDependencies } from '../../src/api/dependencies.ts'
import { createApiKey, findApiKey } from '../../src/api/http/api-keys.ts'
import { newId } from '../../src/base/uuidv7.ts'
import { readConfig } from '../../src/config.ts'
import config from '../../waggle.config.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const keys = createTestKeys({
  everything: ['submit', 'read', 'operate'],
  submitter: ['submit'],
  reader: ['read'],
  operator: ['operate'],
})

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ apiKeys: keys.apiKeys })
})
afterAll(async () => {
  killLeftovers()
  await system.stop()
})

const REVERSE = { input: { text: 'ab' } }

function submit(name = 'everything') {
  return system.request('POST', '/v1/tasks/reverse', REVERSE, keys.headers(name)) as Promise<{
    status: number
    body: { id: string; poll_token: string }
  }>
}

describe('without a key', () => {
  test('every route except health and documentation responds with 401 and WWW-Authenticate', async () => {
    const app = createApp(
      createApiDependencies(system.connections, system.registry, system.events, {
        apiKeys: keys.apiKeys,
        bodyLimitBytes: 1_024,
        workerMissingAfterMs: 1_000,
        addressOf: () => undefined,
      }),
      config.routes,
    )
    const routes = app.routes.filter(({ method, path }) => method !== 'ALL' && !path.includes('*'))
    const closed = routes.filter(({ path }) => !/^\/(health|docs|openapi\.json)/.test(path))
    expect(closed.length).toBeGreaterThan(15)
    for (const { method, path } of closed) {
      const target = path.replace(':id', newId()).replace(':name', 'reverse')
      const response = await app.request(target, { method })
      expect([method, path, response.status]).toEqual([method, path, 401])
      expect(response.headers.get('WWW-Authenticate')).toContain('Bearer')
      expect(await response.json()).toMatchObject({ type: 'urn:waggle:problem:unauthorized', status: 401 })
    }
  })

  test('health checks respond with 200', async () => {
    expect((await system.request('GET', '/health')).status).toBe(200)
    expect((await system.request('GET', '/health/ready')).status).toBe(200)
  })

  test.each([
    ['an unknown key', { Authorization: `Bearer ${createApiKey('other', ['read']).key}` }],
    ['an empty key', { Authorization: 'Bearer ' }],
    ['another scheme', { Authorization: 'Basic YTpi' }],
    [
      'the hash of a known key',
      { Authorization: `Bearer ${createHash('sha256').update(keys.key('reader')).digest('hex')}` },
    ],
    ['a key with an appended character', { Authorization: `Bearer ${keys.key('reader')}x` }],
  ])('%s is rejected', async (_what, headers) => {
    expect((await system.request('GET', '/v1/tasks', undefined, headers)).status).toBe(401)
  })
})

describe('with a key', () => {
  test('the key is accepted as a bearer token and as X-API-Key', async () => {
    for (const headers of [keys.headers('reader'), { 'X-API-Key': keys.key('reader') }]) {
      expect((await system.request('GET', '/v1/tasks', undefined, headers)).status).toBe(200)
    }
  })

  test.each([
    ['GET', '/v1/tasks', 'reader', 'submitter'],
    ['GET', '/v1/workers', 'reader', 'operator'],
    ['GET', '/v1/queues', 'reader', 'operator'],
    ['GET', '/v1/stats', 'reader', 'submitter'],
    ['POST', '/v1/tasks/reverse', 'submitter', 'reader'],
    ['POST', '/v1/tasks/batch', 'submitter', 'operator'],
    ['POST', '/notify', 'submitter', 'reader'],
    ['POST', '/submit_task', 'submitter', 'reader'],
    ['GET', '/submit_task', 'submitter', 'reader'],
    ['POST', '/v1/queues/spare/pause', 'operator', 'submitter'],
    ['POST', '/v1/queues/spare/resume', 'operator', 'reader'],
    ['POST', `/v1/tasks/${newId()}/cancel`, 'operator', 'submitter'],
    ['POST', `/v1/tasks/${newId()}/retry`, 'operator', 'reader'],
    ['POST', `/v1/tasks/${newId()}/replay`, 'operator', 'submitter'],
  ])('%s %s is allowed for the %s and forbidden for the %s', async (method, path, allowed, forbidden) => {
    const refused = await system.request(method, path, undefined, keys.headers(forbidden))
    expect(refused.status).toBe(403)
    expect(refused.body).toMatchObject({ type: 'urn:waggle:problem:forbidden' })
    const admitted = await system.request(method, path, undefined, keys.headers(allowed))
    expect([401, 403]).not.toContain(admitted.status)
  })

  test('every key can list the definitions', async () => {
    for (const name of ['submitter', 'reader', 'operator']) {
      expect((await system.request('GET', '/v1/definitions', undefined, keys.headers(name))).status).toBe(200)
    }
  })
})

describe('the poll token of a submission', () => {
  test('allows every endpoint that reads its task, and nothing else', async () => {
    const { body: task } = await submit('submitter')
    const query = `poll_token=${task.poll_token}`
    for (const path of [`/v1/tasks/${task.id}`, `/task_status/${task.id}`, `/check_task/${task.id}`]) {
      expect([path, (await system.request('GET', `${path}?${query}`)).status]).toEqual([path, 200])
    }
    expect((await system.request('GET', `/v1/tasks/${task.id}?wait=10&${query}`)).body).toMatchObject({
      status: 'SUCCESS',
    })
    expect((await system.request('GET', `/v1/tasks/${task.id}/events?${query}`)).status).toBe(200)
    expect((await system.request('POST', `/v1/tasks/${task.id}/cancel?${query}`)).status).toBe(401)
    expect((await system.request('GET', `/v1/tasks?${query}`)).status).toBe(401)
    const { body: other } = await submit('submitter')
    expect((await system.request('GET', `/v1/tasks/${other.id}?${query}`)).status).toBe(401)
  })

  test('is returned by every kind of submission', async () => {
    const headers = keys.headers('submitter')
    const notify = await system.request('POST', '/notify/', { email: 'a@example.com' }, headers)
    const form = await system.request('POST', '/submit_task', { form_type: 'reverse', text: 'ab' }, headers)
    const batch = await system.request(
      'POST',
      '/v1/tasks/batch',
      { tasks: [{ name: 'reverse', ...REVERSE }] },
      headers,
    )
    const { poll_token: first, task_id: firstId } = notify.body as { poll_token: string; task_id: string }
    const { poll_token: second, task_id: secondId } = form.body as { poll_token: string; task_id: string }
    const [item] = (batch.body as { items: { id: string; poll_token: string }[] }).items
    for (const [id, token] of [
      [firstId, first],
      [secondId, second],
      [item?.id, item?.poll_token],
    ]) {
      expect((await system.request('GET', `/v1/tasks/${id}?poll_token=${token}`)).status).toBe(200)
    }
  })

  test('is in the links that lead a browser without scripts from the form to the page of the task', async () => {
    const form = await fetch(`${system.url}/submit_task`, {
      method: 'POST',
      headers: { ...keys.headers('submitter'), 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'form_type=reverse&text=ab',
      redirect: 'manual',
    })
    expect(form.status).toBe(303)
    const page = await fetch(new URL(form.headers.get('Location') ?? '', system.url))
    expect(page.status).toBe(200)
    const [, link] = /href="(\/check_task\/[^"]+)"/.exec(await page.text()) ?? []
    expect((await fetch(new URL(link ?? '', system.url))).status).toBe(200)
  })

  test('is not returned by an API without keys', async () => {
    const open = await startSystem({ worker: false })
    expect(await open.submit('reverse', { text: 'ab' })).not.toHaveProperty('poll_token')
    await open.stop()
  })
})

describe('API_KEYS', () => {
  test('an entry identifies its key without containing it', () => {
    const { key, entry } = createApiKey('ci', ['submit', 'operate'])
    expect(entry).not.toContain(key)
    const { API_KEYS: known = [] } = readConfig({ API_KEYS: entry })
    expect(findApiKey(known, key)).toMatchObject({ name: 'ci', scopes: ['submit', 'operate'] })
    expect(findApiKey(known, `${key} `)).toBeUndefined()
  })

  test.each([
    ['a key instead of its entry', createApiKey('ci', ['read']).key],
    ['an unknown scope', `ci:admin:${'a'.repeat(64)}`],
    ['no scope', `ci::${'a'.repeat(64)}`],
    ['half a hash', `ci:read:${'a'.repeat(32)}`],
    ['the same name twice', [`ci:read:${'a'.repeat(64)}`, `ci:submit:${'b'.repeat(64)}`].join()],
  ])('%s is rejected', (_what, value) => {
    expect(() => readConfig({ API_KEYS: value })).toThrow('API_KEYS: ')
  })

  test('is required in production, unless ALLOW_ANONYMOUS is true', () => {
    const production = { NODE_ENV: 'production' }
    expect(() => readConfig(production, ['API_KEYS'])).toThrow('ALLOW_ANONYMOUS=true')
    expect(() => readConfig({ ...production, API_KEYS: '' }, ['API_KEYS'])).toThrow('API_KEYS: ')
    expect(() => readConfig({ NODE_ENV: 'Production' }, ['API_KEYS'])).toThrow('API_KEYS: ')
    readConfig({ ...production, ALLOW_ANONYMOUS: 'true' }, ['API_KEYS'])
    readConfig({ ...production, API_KEYS: createApiKey('ci', ['read']).entry }, ['API_KEYS'])
    readConfig({}, ['API_KEYS'])
  })

  test('is required by an API process in production and not by a worker process', async () => {
    const settings = {
      NODE_ENV: 'production',
      DATABASE_URL: system.database.url,
      REDIS_URL: system.redis.url,
    }
    const api = await startMain('api', settings)
    expect(await api.ended).toBe(1)
    expect(api.output()).toContain('API_KEYS: is required in production')
    const worker = await startMain('worker', settings)
    expect(worker.output()).toContain('worker started')
    await worker.end('SIGTERM')
  })

  test('accepts the entries that the keys command prints', async () => {
    const { key, entry } = await makeKey('--name', 'page', '--scope', 'read', '--scope', 'submit')
    expect(entry).toMatch(/^page:submit\+read:[0-9a-f]{64}$/)
    const api = await startMain('api', {
      API_KEYS: entry,
      NODE_ENV: 'production',
      DATABASE_URL: system.database.url,
      REDIS_URL: system.redis.url,
    })
    const statusWith = async (headers: Record<string, string>) =>
      (await fetch(`${api.url}/v1/definitions`, { headers })).status
    expect(await statusWith({})).toBe(401)
    expect(await statusWith({ Authorization: `Bearer ${key}` })).toBe(200)
    await api.end('SIGTERM')
  })
})

async function makeKey(...args: string[]): Promise<{ key: string; entry: string }> {
  const command = await startMain(['keys', 'create', ...args], {})
  expect(await command.ended).toBe(0)
  return {
    key: /^ {2}(wgl_\S+)$/m.exec(command.output())?.[1] ?? '',
    entry: /^ {2}(\S+:\S+:\S+)$/m.exec(command.output())?.[1] ?? '',
  }
}

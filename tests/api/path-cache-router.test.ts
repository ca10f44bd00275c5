// The path cache router: it routes like a router without a cache.
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { createPathCacheRouter } from '../../src/api/http/path-cache-router.ts'

function createTestApp() {
  return new Hono({ router: createPathCacheRouter() })
    .use((c, next) => {
      c.header('X-Method', c.req.method)
      return next()
    })
    .post('/tasks/batch', (c) => c.text('batch'))
    .post('/tasks/:name', (c) => c.text(`submit ${c.req.param('name')}`))
    .post('/tasks/:id/cancel', (c) => c.text(`cancel ${c.req.param('id')}`))
    .get('/tasks/:id', (c) => c.text(`read ${c.req.param('id')}`))
}

const ROUTES = [
  ['POST', '/tasks/batch', 'batch'],
  ['POST', '/tasks/reverse', 'submit reverse'],
  ['POST', '/tasks/divide', 'submit divide'],
  ['POST', '/tasks/1/cancel', 'cancel 1'],
  ['POST', '/tasks/2/cancel', 'cancel 2'],
  ['GET', '/tasks/reverse', 'read reverse'],
  ['GET', '/tasks/batch', 'read batch'],
] as const

test('repeated requests reach the same handler with the same parameters', async () => {
  const app = createTestApp()
  for (const [method, path, expected] of [...ROUTES, ...ROUTES.toReversed(), ...ROUTES]) {
    const response = await app.request(path, { method })
    expect([await response.text(), response.headers.get('X-Method')]).toEqual([expected, method])
  }
})

test('concurrent requests reach their own handlers', async () => {
  const app = createTestApp()
  const requests = Array.from({ length: 50 }, () => ROUTES).flat()
  const responses = await Promise.all(
    requests.map(async ([method, path]) => (await app.request(path, { method })).text()),
  )
  expect(responses).toEqual(requests.map(([, , expected]) => expected))
})

test('more paths than fit into the cache are routed, and unknown paths get 404', async () => {
  const app = createTestApp()
  for (let index = 0; index < 1_200; index++) {
    const response = await app.request(`/tasks/t${index % 700}`, { method: 'POST' })
    expect(await response.text()).toBe(`submit t${index % 700}`)
  }
  for (let again = 0; again < 2; again++)
    expect((await app.request('/nothing', { method: 'POST' })).status).toBe(404)
})

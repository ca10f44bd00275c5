// The static files of the page, served by the API.
import { beforeAll, describe, expect, test } from 'vitest'
import type { TestSystem } from '../support/system.ts'
import { expectProblem, send, setUpSystem } from './support/problem-requests.ts'

const { system: started } = setUpSystem()
let system: TestSystem
beforeAll(() => {
  system = started()
})

describe('the static files of the page', () => {
  test('are served', async () => {
    expect(await send(system, 'GET', '/')).toMatchObject({ status: 200, text: '<h1>The page</h1>' })
  })

  test('are cached by browsers if their names contain a hash', async () => {
    const cacheOf = async (path: string) => (await send(system, 'GET', path)).headers['cache-control']
    expect(await cacheOf('/assets/index-1a2b3c.js')).toBe('public, max-age=31536000, immutable')
    expect(await cacheOf('/')).toBe('no-cache')
  })

  test.each([
    '/../../../../etc/passwd',
    '/..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/....//....//etc/passwd',
    '/%5c..%5c..%5cetc%5cpasswd',
    '//etc/passwd',
    '/index.html%00.png',
    '/%00',
    '/%c0%ae%c0%ae/etc/passwd',
    `/${'a'.repeat(300)}`,
    '/%',
    '/.',
  ])('do not include other files: %s', async (path) => {
    const response = await send(system, 'GET', path)
    if (path === '/.') expect(response.text).toContain('The page')
    else expectProblem(response, 404)
  })
})

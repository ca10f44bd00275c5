// The Postman collection: it matches its sources, and Postman's own runner passes it against a running
// system.
import { readFileSync } from 'node:fs'
import { Hono } from 'hono'
import newman, { type NewmanRunSummary } from 'newman'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiEnv, defineConfig, defineTask, type Operations } from 'waggle-tasks'
import { z } from 'zod'
import { createPostmanFiles } from '../../src/postman/postman-files.ts'
import config from '../../waggle.config.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const FOLDER = new URL('../../docs/postman/', import.meta.url)

const keys = createTestKeys({ everything: ['submit', 'read', 'operate'] })

/** Rejects every host name, so that tests send nothing to the internet. */
const rejectAllNames = () => Promise.reject(new Error('No name resolution in tests'))

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ apiKeys: keys.apiKeys, http: { resolve: rejectAllNames } })
})
afterAll(() => system.stop())

test.each(Object.entries(createPostmanFiles(config, { task: 'reverse' })))(
  '%s is up to date (else: npm run postman)',
  (name, text) => {
    expect(readFileSync(new URL(name, FOLDER), 'utf8')).toBe(text)
  },
)

test('the whole collection runs without a failure', { timeout: 120_000 }, async () => {
  const { run } = await runCollection(system.url, keys.key('everything'))
  expect(run.failures.map(({ source, error }) => `${source?.name}: ${error.message}`)).toEqual([])
  expect(run.stats.assertions.failed).toBe(0)
  expect(run.stats.assertions.total).toBeGreaterThan(60)
  expect(run.stats.requests.total).toBeGreaterThan(30)
})

test('the collection fails when the API does not respond as documented', async () => {
  const { run } = await runCollection(`${system.url}/nowhere`, keys.key('everything'), 'Problems')
  expect(run.failures).not.toEqual([])
})

test('the collection needs no API key when the API requires none', async () => {
  const open = await startSystem()
  const { run } = await runCollection(open.url, '', 'Tasks')
  await open.stop()
  expect(run.failures).toEqual([])
})

function runCollection(baseUrl: string, apiKey: string, folder?: string): Promise<NewmanRunSummary> {
  const read = (name: string) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8'))
  return new Promise((resolve, reject) => {
    newman.run(
      {
        collection: read('waggle.postman_collection.json'),
        environment: read('waggle.postman_environment.json'),
        envVar: [
          { key: 'baseUrl', value: baseUrl },
          { key: 'apiKey', value: apiKey },
        ],
        folder,
        reporters: [],
      },
      (error, summary) => (error ? reject(error) : resolve(summary)),
    )
  })
}

test('a project without samples has a collection of its own tasks and routes', () => {
  const hello = defineTask({
    name: 'hello',
    title: 'Say hello',
    description: 'Greets.',
    input: z.object({ name: z.string() }),
    output: z.object({ greeting: z.string() }),
    example: { name: 'Ada' },
    run: async ({ name }) => ({ greeting: name }),
  })
  const operations: Operations = {
    greet: {
      route: 'POST /greet',
      summary: 'Greet',
      access: 'submit',
      body: {
        content: { 'application/json': { schema: { type: 'object' }, examples: { ada: { name: 'Ada' } } } },
      },
      responses: { 202: { description: 'Accepted' } },
    },
  }
  const routes = () => ({ app: new Hono<ApiEnv>(), openapi: { tag: 'Own', description: 'Own', operations } })
  const files = createPostmanFiles(defineConfig({ tasks: [hello], routes }))
  const { item } = JSON.parse(files['waggle.postman_collection.json'] ?? '')
  const texts = JSON.stringify(item)
  expect(item.map(({ name }: { name: string }) => name)).toContain('Own')
  expect(texts).toContain('/greet')
  expect(texts).toContain('/v1/tasks/hello')
  expect(texts).not.toMatch(/notify|reverse|submit_task/)
})

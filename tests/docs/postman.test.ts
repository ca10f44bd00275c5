// The Postman collection: as its sources say, and run by Postman's own runner against a running system.
import { readFileSync } from 'node:fs'
import newman, { type NewmanRunSummary } from 'newman'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostmanFiles } from '../../docs/postman/generate.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem } from '../support/system.ts'

const FOLDER = new URL('../../docs/postman/', import.meta.url)

const keys = createTestKeys({ everything: ['submit', 'read', 'operate'] })

/** Tests send nothing to the internet. */
const nowhere = () => Promise.reject(new Error('no names here'))

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ apiKeys: keys.apiKeys, http: { resolve: nowhere } })
})
afterAll(() => system.stop())

test.each(Object.entries(createPostmanFiles()))('%s is up to date (else: npm run postman)', (name, text) => {
  expect(readFileSync(new URL(name, FOLDER), 'utf8')).toBe(text)
})

test('all of it runs from the top without a failure', { timeout: 120_000 }, async () => {
  const { run } = await runCollection(system.url, keys.key('everything'))
  expect(run.failures.map(({ source, error }) => `${source?.name}: ${error.message}`)).toEqual([])
  expect(run.stats.assertions.failed).toBe(0)
  expect(run.stats.assertions.total).toBeGreaterThan(60)
  expect(run.stats.requests.total).toBeGreaterThan(30)
})

test('and it fails where the system does not answer as it should', async () => {
  const { run } = await runCollection(`${system.url}/nowhere`, keys.key('everything'), 'Problems')
  expect(run.failures).not.toEqual([])
})

test('no key is needed where the system asks for none', async () => {
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

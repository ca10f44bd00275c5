// Generators for TypeScript: their output compiles with strict settings, and clients with it run.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createDocumentFolder, type DocumentFolder } from './support/document-folder.ts'
import { HERE, runSuccessfully, toolOf } from './support/programs.ts'

const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
const FILES = ['tsconfig.json', 'use-openapi-fetch.ts', 'use-hey-api.ts']
/** TypeScript of the project: users compile generated code with the version that they have. */
const TSC = join(HERE, '../../node_modules/.bin/tsc')

const keys = createTestKeys({ user: ['submit', 'read'] })
let folder: DocumentFolder
let system: TestSystem
beforeAll(async () => {
  folder = createDocumentFolder(FILES.map((name) => `clients/${name}`))
  system = await startSystem({ apiKeys: keys.apiKeys })
  await Promise.all([
    runTool('openapi-typescript', ['openapi.json', '--output', 'openapi.d.ts']),
    runTool('openapi-ts', ['--input', 'openapi.json', '--output', 'hey-api', '--no-log-file']),
  ])
})
afterAll(async () => {
  await system.stop()
  folder.remove()
})

test('generated code and clients with it compile with strict settings', async () => {
  await runSuccessfully(TSC, ['--project', '.'], { cwd: folder.path })
})

describe.each(['openapi-fetch', 'hey-api'])('a compiled client with %s', (name) => {
  test('submits, waits, reads, lists, and gets typed problems', async () => {
    const { ids, ...seen } = await run(`use-${name}.js`)
    expect(seen).toEqual({
      status: 'SUCCESS',
      result: { text: 'elggaW' },
      isUnknown: true,
      pointers: ['#/input/x'],
    })
    expect(ids).toHaveLength(1)
  })
})

/** Runs the exported function of a compiled client in a process of its own and returns its result. */
async function run(file: string) {
  const module = pathToFileURL(join(folder.path, 'compiled', file)).href
  const args = [system.url, keys.key('user'), UNKNOWN_ID].map((arg) => JSON.stringify(arg))
  const code = `
    const { use } = await import(${JSON.stringify(module)})
    process.stdout.write(JSON.stringify(await use(${args.join(', ')})))`
  const output = await runSuccessfully(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: folder.path,
  })
  return JSON.parse(output)
}

const runTool = (name: string, args: string[]) => runSuccessfully(toolOf(name), args, { cwd: folder.path })

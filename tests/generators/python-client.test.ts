// A generator for Python: its output is complete, and a client with it runs. Skipped without Python's venv, and
// where the generator cannot be installed.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installRequirements, pythonIn } from '../../bench/python-environment.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createDocumentFolder, type DocumentFolder } from './support/document-folder.ts'
import { runProgram, runSuccessfully } from './support/programs.ts'

const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'

const keys = createTestKeys({ user: ['submit', 'read'] })
let folder: DocumentFolder
let installed: ReturnType<typeof installRequirements>
let system: TestSystem
beforeAll(async () => {
  folder = createDocumentFolder(['requirements.txt', 'clients/use_client.py'])
  // Before the system starts, because the installation blocks this process.
  installed = installRequirements(folder.path)
  system = await startSystem({ apiKeys: keys.apiKeys })
})
afterAll(async () => {
  await system.stop()
  folder.remove()
})

test('openapi-python-client generates a client that submits, waits, reads and lists', async ({ skip }) => {
  if ('problem' in installed) {
    process.stdout.write(`The Python client is not tested: ${installed.problem}\n`)
    skip(installed.problem)
  }
  const generated = await runProgram(
    join(folder.path, '.venv/bin/openapi-python-client'),
    ['generate', '--path', 'openapi.json', '--meta', 'none', '--output-path', 'waggle_client'],
    // The generator formats its output with ruff, which it installs beside itself.
    { cwd: folder.path, env: { PATH: `${folder.path}/.venv/bin:${process.env.PATH}` } },
  )
  // A warning, which goes to stderr, means that the generator leaves out a schema or a response.
  expect(generated).toEqual({ code: 0, stdout: expect.stringMatching(/^Generating \S+\s*$/), stderr: '' })

  const seen = await runSuccessfully(
    pythonIn(folder.path),
    ['use_client.py', system.url, keys.key('user'), UNKNOWN_ID],
    { cwd: folder.path },
  )
  expect(JSON.parse(seen)).toEqual({
    status: 'SUCCESS',
    result: { text: 'elggaW' },
    count: 1,
    problem: 'urn:waggle:problem:unknown_task',
  })
})

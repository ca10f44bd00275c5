// `waggle run`: submits a task to a running API and follows it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createProgressDisplay } from '../../src/commands/progress-display.ts'
import { createTestKeys } from '../support/api-keys.ts'
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts'
import { MAIN, runCommand } from '../support/run-command.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const keys = createTestKeys({ everything: ['submit', 'read', 'operate'], submitter: ['submit'] })

let system: TestSystem
beforeAll(async () => {
  system = await startSystem({ apiKeys: keys.apiKeys })
})
afterAll(() => system.stop())

/** Runs `waggle run` with the key in the environment. */
function run(args: string[], options: { key?: string; input?: string } = {}) {
  const { key = keys.key('everything'), input } = options
  const settings = { WAGGLE_API_KEY: key, PORT: new URL(system.url).port }
  return runCommand(['run', ...args], { settings, input })
}

test('prints the result on standard output and the progress on standard error', async () => {
  const { code, stdout, stderr } = await run(['divide', '{"x": 10, "y": 4}'])
  expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { quotient: 2.5 } })
  const [title = '', ...lines] = stderr.trimEnd().split('\n')
  expect(title).toMatch(/^divide [0-9a-f-]{36}$/)
  expect(lines.at(-1)).toBe('SUCCESS 100 %')
  expect(lines.some((line) => /^STARTED \d+ % Step \d+ of 10$/.test(line))).toBe(true)
})

test('reads the input from standard input, and needs no right to read but the poll token', async () => {
  const options = { input: '{"text": "abc"}', key: keys.key('submitter') }
  const { code, stdout } = await run(['reverse', '-'], options)
  expect({ code, result: JSON.parse(stdout) }).toEqual({ code: 0, result: { text: 'cba' } })
})

test('--no-wait prints the accepted task', async () => {
  const { code, stdout, stderr } = await run(['reverse', '{"text": "abc"}', '--no-wait'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(JSON.parse(stdout)).toEqual({ id: expect.any(String), name: 'reverse', status: 'PENDING' })
})

test('a task that fails: exit code 1, and its error', async () => {
  const { code, stdout, stderr } = await run(['divide', '{"x": 1, "y": 0}'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/failed in attempt 1: PermanentError: Task "divide": y must not be 0\n$/)
})

test.each([
  ['an input that is not valid', ['divide', '{"x": 1}'], /the input is not valid\n {2}#\/input\/y /],
  ['an unknown task', ['revers'], /^There is no task "revers". Did you mean "reverse"\?\n$/],
  ['an API that is away', ['reverse', '{}', '--url', 'http://127.0.0.1:1'], /^No API answers at http:/],
  ['a wrong key', ['reverse', '{}', '--key', 'wgl_wrong'], /Set WAGGLE_API_KEY, or use --key\n$/],
])('%s: exit code 1, and a message', async (_, args, message) => {
  const { code, stdout, stderr } = await run(args)
  expect(stderr).toMatch(message)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
})

test.each(['SIGINT', 'SIGTERM'] as const)('%s detaches: the task continues', async (signal) => {
  const child = spawn(process.execPath, [MAIN, 'run', 'divide', '{"x": 1, "y": 2}', '--url', system.url], {
    env: { ...CHILD_ENVIRONMENT, WAGGLE_API_KEY: keys.key('everything') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (text) => (stderr += text))
  await until(
    async () => stderr,
    (text) => text.includes('STARTED'),
  )
  child.kill(signal)
  expect(await once(child, 'close')).toEqual([null, signal])
  const [, id = ''] = /The task (\S+) continues. To cancel it: curl -X POST/.exec(stderr) ?? []
  const headers = { 'X-API-Key': keys.key('everything') }
  const response = await fetch(`${system.url}/v1/tasks/${id}?wait=50`, { headers })
  expect(await response.json()).toMatchObject({ status: 'SUCCESS' })
})

describe('the progress display', () => {
  const STARTED = { status: 'STARTED', attempt: 2, progress: { fraction: 0.5, message: 'Half\ndone' } }

  function show(output: { isTTY?: boolean; columns?: number }): string {
    let text = ''
    const display = createProgressDisplay({ ...output, write: (part) => (text += part) }, 'divide 1')
    display.show(STARTED)
    display.show(STARTED)
    display.show({ ...STARTED, status: 'SUCCESS', progress: { fraction: 1, message: null } })
    display.end()
    return text
  }

  test('is a bar on one line in a terminal', () => {
    expect(show({ isTTY: true })).toBe(
      'divide 1\n\r\x1b[K[############------------] STARTED attempt 2 50 % Half done' +
        '\r\x1b[K[########################] SUCCESS attempt 2 100 %\n',
    )
  })

  test('fits into the terminal', () => {
    expect(show({ isTTY: true, columns: 20 }).split('\r\x1b[K')[1]).toHaveLength(19)
  })

  test('is one line per change elsewhere', () => {
    expect(show({})).toBe('divide 1\nSTARTED attempt 2 50 % Half done\nSUCCESS attempt 2 100 %\n')
  })
})

// Test definitions, requests and checks for the tests of problem documents.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { z } from 'zod'
import type { Problem } from '../../../src/api/http/problem.ts'
import { defineTask } from '../../../src/definitions/define.ts'
import { startSystem, type TestSystem } from '../../support/system.ts'

export const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000'
export const JSON_TYPE = { 'Content-Type': 'application/json' }
export const FORM_TYPE = { 'Content-Type': 'application/x-www-form-urlencoded' }
/** Paths that accept a submission. */
export const SUBMISSIONS = ['/v1/tasks/reverse', '/notify', '/submit_task']

export const labels = defineTask({
  name: 'labels',
  title: 'Labels',
  description: 'Takes numbers by names in lower case.',
  input: z.record(z.string().regex(/^[a-z]+$/, 'must be lower case'), z.number()),
  output: z.object({}),
  example: { a: 1 },
  async run() {
    return {}
  },
})

export const anything = defineTask({
  name: 'anything',
  title: 'Anything',
  description: 'Its definition accepts every input, so that only the API itself can reject one.',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async () => null,
})

/**
 * Starts a system for the tests of a file, with both definitions and the files of a page. After each test it
 * checks that no internal error was reported and that the system still runs tasks.
 */
export function setUpSystem() {
  const webRoot = createWebRoot()
  let running: TestSystem
  beforeAll(async () => {
    running = await startSystem({ definitions: [anything, labels], webRoot })
  })
  afterAll(async () => {
    await running.stop()
    rmSync(webRoot, { recursive: true })
  })
  return { system: () => running, ...checkSystemAfterEach(() => running) }
}

function createWebRoot(): string {
  const webRoot = mkdtempSync(join(tmpdir(), 'waggle-web-'))
  writeFileSync(join(webRoot, 'index.html'), '<h1>The page</h1>')
  mkdirSync(join(webRoot, 'assets'))
  writeFileSync(join(webRoot, 'assets', 'index-1a2b3c.js'), '')
  return webRoot
}

function checkSystemAfterEach(system: () => TestSystem) {
  let errorCountBefore = 0
  beforeEach(() => {
    errorCountBefore = system().emitted('error.unexpected').length
  })
  afterEach(async () => {
    expect(errorsOfTest()).toEqual([])
    const { id } = await system().submit('reverse', { text: 'still running' })
    const { body } = await system().request('GET', `/v1/tasks/${id}?wait=20`)
    expect(body).toMatchObject({ status: 'SUCCESS' })
  })
  return {
    errorsOfTest,
    /** Excludes the first error of this test from the check. */
    ignoreFirstError() {
      errorCountBefore++
    },
  }

  function errorsOfTest() {
    return system().emitted('error.unexpected').slice(errorCountBefore)
  }
}

export interface Sent {
  headers?: Record<string, string>
  body?: string | Buffer
  isChunked?: boolean
}

export interface Received {
  status: number
  headers: IncomingMessage['headers']
  text: string
}

/** Sends any method and the path as it is, which `fetch` would normalize or reject. */
export function send(
  system: TestSystem,
  method: string,
  path: string,
  { headers = {}, body, isChunked }: Sent = {},
): Promise<Received> {
  const bytes = Buffer.from(body ?? '')
  const length = isChunked || body === undefined ? {} : { 'Content-Length': String(bytes.length) }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      { ...urlOf(system), method, path, headers: { ...headers, ...length }, agent: false },
      async (incoming) => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text: await textOf(incoming) })
      },
    )
    outgoing.on('error', reject)
    if (isChunked) outgoing.write(bytes)
    outgoing.end(isChunked ? undefined : bytes)
  })
}

export function urlOf({ url }: TestSystem) {
  const { hostname, port } = new URL(url)
  return { hostname, port }
}

const INTERNALS = new RegExp(
  `\\bat \\S+ \\(|node_modules|\\.[jt]s:\\d|\\bselect\\b.*\\bfrom\\b|insert into|update tasks|root:|${process.cwd()}/`,
  'is',
)

/** Expects a problem document (RFC 9457) with this status and without internal details. */
export function expectProblem({ status, headers, text }: Received, expected: number): Problem {
  expect({ status, text }).toMatchObject({ status: expected })
  expect(headers['content-type']).toBe('application/problem+json')
  expect(text).not.toMatch(INTERNALS)
  const problem: Problem = JSON.parse(text)
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^urn:waggle:problem:\w+$/),
    title: expect.stringMatching(/^[A-Z]/),
    status,
    detail: expect.stringMatching(/\S/),
    instance: expect.stringMatching(/^\//),
  })
  return problem
}

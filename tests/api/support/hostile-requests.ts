// Test definition, tasks and checks for the tests of hostile requests.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { z } from 'zod'
import { defineTask } from '../../../src/definitions/define.ts'
import { BODY_LIMIT } from '../../support/attacks.ts'
import type { RawResponse } from '../../support/raw-http.ts'
import type { TestSystem } from '../../support/system.ts'

export const anything = defineTask({
  name: 'anything',
  title: 'Anything',
  description: 'Its definition accepts every input, so that only the API itself can reject one.',
  input: z.unknown(),
  output: z.unknown(),
  example: {},
  run: async () => null,
})

/** Creates a page with one file. @returns the folder and a function that removes it */
export function createOneFilePage() {
  const webRoot = mkdtempSync(join(tmpdir(), 'waggle-web-'))
  writeFileSync(join(webRoot, 'index.html'), '<h1>The page</h1>')
  return { webRoot, remove: () => rmSync(webRoot, { recursive: true }) }
}

/** Replaces the placeholders of an attack by the ids of tasks. */
export function fillIn(request: string, finished: string, waiting: string): string {
  return request
    .replaceAll('{finished}', finished)
    .replaceAll('{FINISHED}', finished.toUpperCase())
    .replaceAll('{waiting}', waiting)
}

/** Creates a finished task and one that waits forever. */
export async function prepareTasks(
  system: TestSystem,
  headers: Record<string, string> = {},
): Promise<[string, string]> {
  const post = async (body: unknown) =>
    ((await system.request('POST', '/v1/tasks/anything', body, headers)).body as { id: string }).id
  const finished = await post({ input: 'finished' })
  const { status } = await system.request('GET', `/v1/tasks/${finished}?wait=20`, undefined, headers)
  expect(status).toBe(200)
  return [finished, await post({ input: 'waiting', options: { queue: 'unserved' } })]
}

const SQL = /\bselect\b.*\bfrom\b|insert into|update tasks|syntax error at|relation "/is

/**
 * Returns a check that expects one of several statuses. An error must be a problem document (RFC 9457)
 * without internal details. @param webRoot a folder whose path must not be in a response
 */
export function createHarmlessCheck(webRoot?: string) {
  const stackOrPath = new RegExp(
    [`\\bat \\S+ \\(|node_modules|\\.[jt]s:\\d|${process.cwd()}`, ...(webRoot ? [webRoot] : [])].join('|'),
  )
  return ({ status, headers, text }: RawResponse, expected: number[]) => {
    expect(expected, `status ${status}: ${text.slice(0, 500)}`).toContain(status)
    expect(text).not.toMatch(stackOrPath)
    if (status < 400) return
    expect(headers['content-type']).toBe('application/problem+json')
    expect(text).not.toMatch(SQL)
    // People read problems, and a problem must not be many times larger than the request.
    expect(text.length).toBeLessThan(2 * BODY_LIMIT)
    expect(JSON.parse(text)).toMatchObject({
      type: expect.stringMatching(/^urn:waggle:problem:\w+$/),
      title: expect.stringMatching(/^[A-Z]/),
      status,
      detail: expect.stringMatching(/\S/),
    })
  }
}

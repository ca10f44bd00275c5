// Whether what runs does its work, seen from outside: it is healthy, the page is whole, and a task ends.
import { setTimeout as pause } from 'node:timers/promises'
import { HEALTH_PATH } from '../src/names.ts'

const PATIENCE_MS = 60_000
/** A name in XML, not an address. */
const NAMESPACE = 'http://www.w3.org/'

/** @throws Error that says what is not as it should be */
export async function smoke(url: string, apiKey: string, say: (line: string) => void): Promise<void> {
  await checkHealth(url)
  say(`GET and HEAD ${HEALTH_PATH}: 200`)
  say(`The page, ${await checkPage(url)} files: everything from its own origin`)
  say(`A task: SUCCESS after ${await checkTask(url, apiKey)} ms`)
}

/** Monitors and balancers ask by either verb. A name of a new host may take a while to be known. */
async function checkHealth(url: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (const method of ['GET', 'HEAD']) {
    for (;;) {
      const seen = await fetch(new URL(HEALTH_PATH, url), { method, redirect: 'manual' }).then(
        ({ status }) => String(status),
        (error: Error) => `no answer: ${error.cause instanceof Error ? error.cause.message : error.message}`,
      )
      if (seen === '200') break
      if (Date.now() > deadline)
        throw new Error(`${method} ${HEALTH_PATH} is not answered by 200, but by ${seen}`)
      await pause(1_000)
    }
  }
}

/** @returns how many files there are */
async function checkPage(url: string): Promise<number> {
  const page = new URL('/', url)
  const seen = new Map<string, string>()
  await read(page)
  for (const [path, text] of seen) {
    const foreign = foreignOriginsIn(text)
    if (foreign.length > 0) throw new Error(`${path} speaks of ${foreign.join(', ')}`)
  }
  if (seen.size < 2) throw new Error(`The page at ${page} names no script`)
  return seen.size

  async function read(at: URL): Promise<void> {
    if (seen.has(at.pathname)) return
    const response = await fetch(at, { signal: AbortSignal.timeout(15_000) })
    if (response.status !== 200) throw new Error(`GET ${at.pathname} is answered by ${response.status}`)
    const text = await response.text()
    seen.set(at.pathname, text)
    // What the page names, and what its scripts load later.
    for (const [, path = ''] of text.matchAll(/["'(](\.{0,2}\/?(?:assets\/)?[\w./-]+\.(?:js|css))["')]/g)) {
      const next = new URL(path.startsWith('assets/') ? `/${path}` : path, at)
      if (next.origin === page.origin && next.pathname.startsWith('/assets/')) await read(next)
    }
  }
}

/** Origins of others in a file of the page; `localhost` too, which is another machine for everybody else. */
export function foreignOriginsIn(text: string): string[] {
  const origins = [...text.matchAll(/\b(?:https?|wss?):\/\/[\w.:-]+/g)].map(([origin]) => origin)
  return [...new Set(origins)].filter((origin) => !`${origin}/`.startsWith(NAMESPACE))
}

/** @returns how long it took, in milliseconds */
async function checkTask(url: string, apiKey: string): Promise<number> {
  const began = Date.now()
  const headers = { 'Content-Type': 'application/json', 'X-API-Key': apiKey }
  const text = `smoke ${began}`
  const submitted = await fetch(new URL('/v1/tasks/reverse', url), {
    method: 'POST',
    headers,
    body: JSON.stringify({ input: { text } }),
    signal: AbortSignal.timeout(15_000),
  })
  if (submitted.status !== 202)
    throw new Error(`A task is not accepted, but answered by ${submitted.status}: ${await submitted.text()}`)
  const { id } = (await submitted.json()) as { id: string } // the answer of our own API
  let status = ''
  while (Date.now() - began < PATIENCE_MS) {
    const response = await fetch(new URL(`/v1/tasks/${id}?wait=10`, url), {
      headers,
      signal: AbortSignal.timeout(30_000),
    })
    if (response.status !== 200) throw new Error(`Task ${id} is answered by ${response.status}`)
    const task = (await response.json()) as { status: string; error: unknown } // the same
    status = task.status
    if (status === 'SUCCESS') return Date.now() - began
    if (status === 'FAILURE' || status === 'CANCELLED')
      throw new Error(`Task ${id} ended as ${status}: ${JSON.stringify(task.error)}`)
  }
  throw new Error(`Task ${id} was still ${status} after ${PATIENCE_MS / 1_000} s`)
}

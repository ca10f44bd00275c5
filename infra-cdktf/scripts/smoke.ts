// The smoke test, from outside: HTTP leads to HTTPS, the health check responds, the page is complete, and a
// task of the project ends as SUCCESS.
import { setTimeout as pause } from 'node:timers/promises'
import type { SmokeTask } from '../src/config/project.ts'
import { HEALTH_PATH } from '../src/names.ts'

const TIMEOUT_MS = 60_000
/**
 * Limit while there is no response at all. A new DNS record takes time to become visible, and the first order
 * of a certificate can fail once; its retry follows after 2 minutes.
 */
const CONNECT_TIMEOUT_MS = 5 * 60_000
/** Prefix of XML namespaces, which are names and never requested. */
const XML_NAMESPACE = 'http://www.w3.org/'

/** Runs the smoke test. @throws Error that describes the failed check */
export async function smoke(
  url: string,
  { apiKey, task }: { apiKey: string; task: SmokeTask | undefined },
  print: (line: string) => void,
): Promise<void> {
  await checkHealth(url)
  print(`GET and HEAD ${HEALTH_PATH}: 200`)
  const { protocol, host, port } = new URL(url)
  // WAGGLE_URL can name another port, which has no HTTP beside it.
  if (protocol === 'https:' && port === '') {
    await checkRedirect(`http://${host}/`, url)
    print('HTTP: redirected to HTTPS')
  }
  print(`Page: ${await checkPage(url)} files without absolute URLs`)
  if (task) print(`Task ${task.name}: SUCCESS after ${await checkTask(url, apiKey, task)} ms`)
  else print('No task was run: smokeTask is not set in main.ts')
}

/** Checks both methods, because monitors use either. Retries: a new host may not be reachable yet. */
async function checkHealth(url: string): Promise<void> {
  const began = Date.now()
  for (const method of ['GET', 'HEAD']) {
    for (;;) {
      const [seen, limitMs] = await fetch(new URL(HEALTH_PATH, url), { method, redirect: 'manual' }).then(
        ({ status }) => [String(status), TIMEOUT_MS] as const,
        (error: Error) => {
          const reason = error.cause instanceof Error ? error.cause.message : error.message
          return [`no response: ${reason}`, CONNECT_TIMEOUT_MS] as const
        },
      )
      if (seen === '200') break
      if (Date.now() - began > limitMs) throw new Error(`${method} ${HEALTH_PATH}: expected 200, got ${seen}`)
      await pause(1_000)
    }
  }
}

/** Checks that a URL is redirected to the origin of another one. @throws Error */
export async function checkRedirect(from: string, to: string): Promise<void> {
  const { status, headers } = await fetch(from, {
    redirect: 'manual',
    signal: AbortSignal.timeout(15_000),
  })
  const location = headers.get('Location') ?? ''
  const isRight = URL.canParse(location) && new URL(location).origin === new URL(to).origin
  if (![301, 308].includes(status) || !isRight)
    throw new Error(`GET ${from}: expected a redirect to ${to}, got ${status} ${location}`)
}

/** Loads the page and all scripts and styles that it references. @returns the number of files */
async function checkPage(url: string): Promise<number> {
  const page = new URL('/', url)
  const seen = new Map<string, string>()
  await read(page)
  for (const [path, text] of seen) {
    const origins = absoluteOriginsIn(text)
    if (origins.length > 0)
      throw new Error(
        `${path} contains absolute URLs: ${origins.join(', ')}; the page must use relative URLs`,
      )
  }
  if (seen.size < 2) throw new Error(`The page at ${page} references no script`)
  return seen.size

  async function read(at: URL): Promise<void> {
    if (seen.has(at.pathname)) return
    const response = await fetch(at, { signal: AbortSignal.timeout(15_000) })
    if (response.status !== 200) throw new Error(`GET ${at.pathname}: expected 200, got ${response.status}`)
    const text = await response.text()
    seen.set(at.pathname, text)
    // References in the page, and modules that its scripts import dynamically.
    for (const [, path = ''] of text.matchAll(/["'(](\.{0,2}\/?(?:assets\/)?[\w./-]+\.(?:js|css))["')]/g)) {
      const next = new URL(path.startsWith('assets/') ? `/${path}` : path, at)
      if (next.origin === page.origin && next.pathname.startsWith('/assets/')) await read(next)
    }
  }
}

/**
 * Returns the origins of all absolute URLs in a file, without XML namespaces. The page must use relative URLs
 * only: `localhost`, for example, would be the machine of the client.
 */
export function absoluteOriginsIn(text: string): string[] {
  const origins = [...text.matchAll(/\b(?:https?|wss?):\/\/[\w.:-]+/g)].map(([origin]) => origin)
  return [...new Set(origins)].filter((origin) => !`${origin}/`.startsWith(XML_NAMESPACE))
}

/** Submits a task and waits for it. @returns the duration in milliseconds */
async function checkTask(url: string, apiKey: string, { name, input }: SmokeTask): Promise<number> {
  const began = Date.now()
  const headers = { 'Content-Type': 'application/json', 'X-API-Key': apiKey }
  const submitted = await fetch(new URL(`/v1/tasks/${name}`, url), {
    method: 'POST',
    headers,
    body: JSON.stringify({ input }),
    signal: AbortSignal.timeout(15_000),
  })
  if (submitted.status !== 202)
    throw new Error(`Submission: expected 202, got ${submitted.status}: ${await submitted.text()}`)
  const { id } = (await submitted.json()) as { id: string } // response of our own API
  let status = ''
  while (Date.now() - began < TIMEOUT_MS) {
    const response = await fetch(new URL(`/v1/tasks/${id}?wait=10`, url), {
      headers,
      signal: AbortSignal.timeout(30_000),
    })
    if (response.status !== 200) throw new Error(`GET /v1/tasks/${id}: expected 200, got ${response.status}`)
    const task = (await response.json()) as { status: string; error: unknown } // response of our own API
    status = task.status
    if (status === 'SUCCESS') return Date.now() - began
    if (status === 'FAILURE' || status === 'CANCELLED')
      throw new Error(`Task ${id} ended as ${status}: ${JSON.stringify(task.error)}`)
  }
  throw new Error(`Task ${id} was still ${status} after ${TIMEOUT_MS / 1_000} s`)
}

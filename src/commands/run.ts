// The command `run`: submits a task over HTTP and follows it until it has ended.
import { text as readText } from 'node:stream/consumers'
import { pause } from '../base/loop.ts'
import { ApiError, createClient, type Task } from '../client/client.ts'
import { type Environment, readConfig } from '../config.ts'
import { printJson } from './print-result.ts'
import { createProgressDisplay } from './progress-display.ts'
import { UsageError } from './usage-error.ts'

export interface RunOptions {
  url?: string
  key?: string
  wait: boolean
}

// How many seconds one request waits for the end of the task. Workers store progress every second.
const WAIT_SECONDS = 1
// Minimum time between two requests. It prevents a busy loop if a proxy responds immediately.
const MIN_INTERVAL_MS = 500

/**
 * @param input JSON, or `-` for JSON on standard input
 * @throws UsageError if the input is no JSON; Error if the task is refused, fails or is cancelled
 */
export async function run(name: string, input: string, options: RunOptions, environment: Environment) {
  const url = options.url ?? `http://127.0.0.1:${readConfig({ PORT: environment.PORT }).PORT}`
  const connection = { baseUrl: url, apiKey: (options.key ?? environment.WAGGLE_API_KEY) || undefined }
  const value = await parseInput(input)
  // An API that cannot be reached is reported immediately.
  const submitted = await createClient({ ...connection, retryForMs: 0 })
    .submit(name, value)
    .catch((error) => {
      throw new Error(describe(error, url), { cause: error })
    })
  const { id, poll_token: pollToken } = submitted
  if (!options.wait) return printJson({ id, name: submitted.name, status: submitted.status })
  const display = createProgressDisplay(process.stderr, `${name} ${id}`)
  const cancel = `curl -X POST ${connection.apiKey ? '-H "X-API-Key: …" ' : ''}${url}/v1/tasks/${id}/cancel`
  detachOnSignal(`The task ${id} continues. To cancel it: ${cancel}`, display.end)
  const client = createClient(connection)
  let task: Task
  do {
    const startedMs = performance.now()
    task = await client.task(id, { waitSeconds: WAIT_SECONDS, pollToken }).catch((error) => {
      display.end()
      throw new Error(`${describe(error, url)}. The task ${id} was accepted and continues`, { cause: error })
    })
    display.show(task)
    if (!task.is_final) await pause(Math.max(0, MIN_INTERVAL_MS - (performance.now() - startedMs)))
  } while (!task.is_final)
  display.end()
  if (task.status === 'SUCCESS') return printJson(task.result)
  throw new Error(endOf(task))
}

async function parseInput(input: string): Promise<unknown> {
  const text = input === '-' ? await readText(process.stdin) : input
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UsageError(
      `The input must be JSON, e.g. '{"name": "Ada"}': ${error instanceof Error ? error.message : error}`,
    )
  }
}

/**
 * Ends the command on Ctrl-C and SIGTERM, by the signal itself, so that a shell sees why it has ended. The
 * task continues: it is committed, and other programs may wait for it.
 */
function detachOnSignal(message: string, onDetach: () => void) {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      onDetach()
      process.stderr.write(`${message}\n`)
      process.kill(process.pid, signal)
    })
  }
}

function describe(error: unknown, url: string): string {
  if (!(error instanceof ApiError)) return String(error)
  if (error.code === 'unreachable')
    return `No API answers at ${url}: start it with \`waggle dev\`, or name another one with --url`
  const faults = error.errors.map(({ pointer, detail }) => `\n  ${pointer} ${detail}`)
  return `${error.detail}${faults.join('')}${HINTS[error.code] ?? ''}`
}

const HINTS: Record<string, string> = {
  unauthorized: '. Set WAGGLE_API_KEY, or use --key',
}

function endOf({ id, status, error, attempt }: Task): string {
  if (status === 'CANCELLED') return `The task ${id} was cancelled`
  const reason = error ? `${error.name}: ${error.message}` : 'no reason is known'
  return `The task ${id} failed in attempt ${attempt}: ${reason}`
}

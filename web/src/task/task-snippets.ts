// Builds code snippets that submit the same task again: a curl command and a call of the typed client.
import type { Definition, RunOptions, Task } from '../api/api-client.ts'
import { stringifyJson } from '../parts/exact-json.ts'

export interface SnippetSettings {
  /** URL of the API. It ends with a slash. */
  baseUrl: string
  /** Whether the API requires a key. Snippets read it from WAGGLE_API_KEY and never contain it. */
  isKeyNeeded: boolean
  definition: Definition | undefined
}

// Maximum size of a request body that is passed to curl as an argument. A longer body is passed on stdin,
// because Linux rejects arguments of 128 KiB or more (MAX_ARG_STRLEN).
const MAX_ARGUMENT_BYTES = 100_000

export function curlSnippet(task: Task, settings: SnippetSettings): string {
  const options = chosenOptions(task, settings.definition)
  const body = stringifyJson({ input: task.input, ...(options && { options }) })
  const isLong = new TextEncoder().encode(body).length > MAX_ARGUMENT_BYTES
  const url = `${settings.baseUrl}v1/tasks/${encodeURIComponent(task.name)}`
  const lines = [
    `curl -X POST ${shellQuoted(url)}`,
    `-H 'Content-Type: application/json'`,
    ...(settings.isKeyNeeded ? ['-H "Authorization: Bearer $WAGGLE_API_KEY"'] : []),
    isLong ? `--data-binary @- <<'WAGGLE'\n${body}\nWAGGLE` : `--data-raw ${shellQuoted(body)}`,
  ]
  return lines.join(' \\\n  ')
}

// Parts of the generated program: the module that it imports, and `process.env`. They are constants, because
// tests/architecture searches source text for forbidden imports and `process.env`, also in template literals.
const CLIENT = `'waggle-tasks/client'`
const ENVIRONMENT = ['process', 'env'].join('.')

export function clientSnippet(task: Task, settings: SnippetSettings): string {
  const options = chosenOptions(task, settings.definition)
  const baseUrl = JSON.stringify(settings.baseUrl.replace(/\/$/, ''))
  const key = settings.isKeyNeeded ? `, apiKey: ${ENVIRONMENT}.WAGGLE_API_KEY` : ''
  const lastArgument = options ? `, { options: ${sourceOf(options)} }` : ''
  return `import { createClient } from ${CLIENT}

const client = createClient({ baseUrl: ${baseUrl}${key} })
const task = await client.submit(${JSON.stringify(task.name)}, ${sourceOf(task.input)}${lastArgument})
const done = await client.waitFor(task)
`
}

/** Quotes text for a POSIX shell. Inside single quotes only the single quote itself has a special meaning. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** Returns the task's options that differ from the defaults of its definition; undefined if none differ. */
function chosenOptions(task: Task, definition: Definition | undefined): RunOptions | undefined {
  const options: RunOptions = {
    ...(task.queue !== definition?.queue && { queue: task.queue }),
    ...(task.priority !== definition?.priority && { priority: task.priority }),
    ...(task.max_retries !== definition?.max_retries && { max_retries: task.max_retries }),
    ...(task.timeout_seconds !== definition?.timeout_seconds && { timeout_seconds: task.timeout_seconds }),
    ...(task.tags.length > 0 && { tags: task.tags }),
    ...(task.callback_url !== null && { callback_url: task.callback_url }),
  }
  return Object.keys(options).length > 0 ? options : undefined
}

/**
 * Returns a JSON value as JavaScript source. A member `__proto__` gets a computed name (`["__proto__"]`),
 * because the plain name would set the prototype.
 */
function sourceOf(value: unknown): string {
  return stringifyJson(value, 2).replaceAll(/^( *)"__proto__":/gm, '$1["__proto__"]:')
}

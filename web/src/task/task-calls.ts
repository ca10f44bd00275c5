// How to submit the same task from elsewhere, as text to be copied: a command for a shell, and a call of the typed client.
import type { Definition, RunOptions, Task } from '../api/api-client.ts'
import { stringifyJson } from '../parts/exact-json.ts'

export interface CallSettings {
  /** Address of the API, with a slash at its end. */
  baseUrl: string
  /** Whether the API wants a key. It is named, and never written out. */
  isKeyNeeded: boolean
  definition: Definition | undefined
}

// Linux takes no argument of 128 KiB or more (MAX_ARG_STRLEN).
const LONGEST_ARGUMENT = 100_000

export function curlOf(task: Task, settings: CallSettings): string {
  const options = chosenOptions(task, settings.definition)
  const body = stringifyJson({ input: task.input, ...(options && { options }) })
  const isLong = new TextEncoder().encode(body).length > LONGEST_ARGUMENT
  const url = `${settings.baseUrl}v1/tasks/${encodeURIComponent(task.name)}`
  const lines = [
    `curl -X POST ${shellQuoted(url)}`,
    `-H 'Content-Type: application/json'`,
    ...(settings.isKeyNeeded ? ['-H "Authorization: Bearer $WAGGLE_API_KEY"'] : []),
    isLong ? `--data-binary @- <<'WAGGLE'\n${body}\nWAGGLE` : `--data-raw ${shellQuoted(body)}`,
  ]
  return lines.join(' \\\n  ')
}

// Of the program that the text is copied into, and not of the page.
const CLIENT = `'waggle/client'`
const ENVIRONMENT = ['process', 'env'].join('.')

export function clientCallOf(task: Task, settings: CallSettings): string {
  const options = chosenOptions(task, settings.definition)
  const baseUrl = JSON.stringify(settings.baseUrl.replace(/\/$/, ''))
  const key = settings.isKeyNeeded ? `, apiKey: ${ENVIRONMENT}.WAGGLE_API_KEY` : ''
  const more = options ? `, { options: ${sourceOf(options)} }` : ''
  return `import { createClient } from ${CLIENT}

const client = createClient({ baseUrl: ${baseUrl}${key} })
const task = await client.submit(${JSON.stringify(task.name)}, ${sourceOf(task.input)}${more})
const done = await client.waitFor(task)
`
}

/** For a POSIX shell: between single quotes nothing has a meaning but the quote itself. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** What was asked for beside the input, as far as it is not what the definition has anyway. */
function chosenOptions(task: Task, definition: Definition | undefined): RunOptions | undefined {
  const options: RunOptions = {
    ...(task.queue !== definition?.queue && { queue: task.queue }),
    ...(task.max_retries !== definition?.max_retries && { max_retries: task.max_retries }),
    ...(task.timeout_seconds !== definition?.timeout_seconds && { timeout_seconds: task.timeout_seconds }),
    ...(task.tags.length > 0 && { tags: task.tags }),
    ...(task.callback_url !== null && { callback_url: task.callback_url }),
  }
  return Object.keys(options).length > 0 ? options : undefined
}

/** JSON is JavaScript, but for a name that sets a prototype there. */
function sourceOf(value: unknown): string {
  return stringifyJson(value, 2).replaceAll(/^( *)"__proto__":/gm, '$1["__proto__"]:')
}

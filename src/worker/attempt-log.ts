// What one attempt has to say for itself: lines within bounds, in a form that Postgres can keep.
import { messageOf } from '../base/errors.ts'
import { isTextDeeperThan, MAX_DEPTH } from '../base/json-depth.ts'
import type { NewLogLine } from '../store/log-store.ts'

// Enough to tell what an attempt did; who has more to say has a place for it, and leaves its address here.
const MAX_LINES = 1_000
const MAX_BYTES = 256 * 1_024
const MAX_MESSAGE = 4_000
const MAX_FIELDS_BYTES = 8 * 1_024
const MAX_MEMBERS = 100

export interface AttemptLog {
  /** What is left to be written. */
  readonly waiting: readonly NewLogLine[]
  /**
   * Keeps a line, unless that is one too many: then the last line says so, once. Never throws.
   * @returns the fields as they are kept, where they could not be kept as they are
   */
  add(message: string, fields?: Record<string, unknown>): Record<string, unknown> | undefined
  /** Takes what is to be written now. */
  take(): NewLogLine[]
  /** Puts back, before everything else, what could not be written. */
  release(lines: NewLogLine[]): void
  /** Keeps nothing from now on: the handler has settled, and how it ended is about to be told. */
  close(): void
}

export function createAttemptLog(): AttemptLog {
  let waiting: NewLogLine[] = []
  let isClosed = false
  let lines = 0
  let bytes = 0
  return {
    get waiting() {
      return waiting
    },
    add(message, fields) {
      const { text, replacement } = fieldsText(fields)
      if (!isClosed) keep({ at: new Date(), message: storable(message), fields: text })
      return replacement
    },
    take() {
      const taken = waiting
      waiting = []
      return taken
    },
    release(taken) {
      waiting = [...taken, ...waiting]
    },
    close() {
      isClosed = true
    },
  }

  function keep(line: NewLogLine) {
    lines++
    bytes += Buffer.byteLength(line.message) + (line.fields === null ? 0 : Buffer.byteLength(line.fields))
    if (lines <= MAX_LINES && bytes <= MAX_BYTES) {
      waiting.push(line)
    } else {
      isClosed = true
      waiting.push({ at: line.at, message: BEYOND, fields: null })
    }
  }
}

const BEYOND = `Nothing is kept beyond this: an attempt may log ${MAX_LINES} lines and ${MAX_BYTES / 1_024} KiB`

/** What Postgres can keep as text: no NUL, and after the cut no half of a character. */
function storable(message: unknown): string {
  const text = typeof message === 'string' ? message : messageOf(message)
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text
  return cut.toWellFormed().replaceAll('\0', '\ufffd')
}

/** JSON of an object within bounds; what cannot be had of it is replaced by a word of why. */
function fieldsText(fields: Record<string, unknown> | undefined): {
  text: string | null
  replacement?: Record<string, unknown>
} {
  if (fields === undefined || fields === null) return { text: null }
  const whole = objectText(fields)
  if (whole !== undefined) return { text: whole }
  const replacement = replaced(fields)
  return { text: JSON.stringify(replacement), replacement }
}

/** undefined for what is no JSON, no object, too deep or too large. */
function objectText(fields: unknown): string | undefined {
  try {
    const text = JSON.stringify(fields)
    return text?.startsWith('{') && isWithinBounds(text) ? text : undefined
  } catch {
    return undefined
  }
}

function isWithinBounds(text: string): boolean {
  return (
    text.length <= MAX_FIELDS_BYTES &&
    Buffer.byteLength(text) <= MAX_FIELDS_BYTES &&
    !isTextDeeperThan(MAX_DEPTH, text)
  )
}

/** Member by member: one that cannot be kept does not take the others with it. */
function replaced(fields: unknown): Record<string, unknown> {
  const kept: [string, unknown][] = []
  let bytes = 0
  for (const name of namesOf(fields).slice(0, MAX_MEMBERS)) {
    const shortName = name.slice(0, 100)
    const text = memberText(fields, name)
    bytes += Buffer.byteLength(text) + Buffer.byteLength(JSON.stringify(shortName))
    if (bytes > MAX_FIELDS_BYTES - 1_000) {
      kept.push(['…', `left out: more than ${MAX_FIELDS_BYTES / 1_024} KiB`])
      break
    }
    kept.push([shortName, JSON.parse(text)])
  }
  return Object.fromEntries(kept)
}

function namesOf(fields: unknown): string[] {
  try {
    return Object.keys(Object(fields))
  } catch {
    return []
  }
}

// A member that is too large by itself leaves room for the others.
const MAX_MEMBER_BYTES = 2 * 1_024

function memberText(fields: unknown, name: string): string {
  try {
    const value: unknown = Reflect.get(Object(fields), name)
    if (typeof value === 'bigint') return JSON.stringify(String(value).slice(0, MAX_MEMBER_BYTES))
    const text = JSON.stringify(value) ?? '"not JSON"'
    if (isTextDeeperThan(MAX_DEPTH, text)) return '"left out: too deep"'
    return Buffer.byteLength(text) <= MAX_MEMBER_BYTES ? text : '"left out: too large"'
  } catch (error) {
    return JSON.stringify(`not JSON: ${messageOf(error).slice(0, 200)}`)
  }
}

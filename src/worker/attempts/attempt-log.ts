// Collects the log lines of one attempt, limits their number and size, and makes them storable in Postgres.
import { messageOf } from '../../base/errors.ts'
import { isTextDeeperThan, MAX_DEPTH } from '../../base/json-depth.ts'
import type { NewLogLine } from '../../store/log-store.ts'

// Limits of the log of one attempt. A task with a larger log should write it to a log service, and log its
// address here.
const MAX_LINES = 1_000
const MAX_BYTES = 256 * 1_024
// Limits of the tail: the last lines of an attempt, which are kept if its end is refused.
const MAX_TAIL_LINES = 100
const MAX_TAIL_BYTES = 16 * 1_024
// Limits of one line: characters of the message, bytes of the fields as JSON, and number of fields that are
// kept if not all of them can be stored.
const MAX_MESSAGE = 4_000
const MAX_FIELDS_BYTES = 8 * 1_024
const MAX_MEMBERS = 100

export interface AttemptLog {
  /** Lines that are not written to Postgres yet. */
  readonly waiting: readonly NewLogLine[]
  /** Size of all lines so far, in bytes. */
  readonly bytes: number
  /**
   * The last lines, also those that are dropped otherwise: at most 100 lines and 16 KiB, except a single
   * line.
   */
  readonly tail: readonly NewLogLine[]
  /**
   * Adds a line. The first line beyond a limit is replaced by a line that says so. All further lines are
   * dropped, except from the tail. Never throws.
   * @returns the fields as they are stored if some had to be replaced; undefined if they are stored unchanged
   */
  add(message: string, fields?: Record<string, unknown>): Record<string, unknown> | undefined
  /** Adds a line of an isolated process, whose log has made it storable. */
  addStorable(line: NewLogLine): void
  /** Returns the lines that are not written yet and removes them from this log. */
  drain(): NewLogLine[]
  /** Takes back lines from `drain` that could not be written, and puts them in front of newer lines. */
  restore(lines: NewLogLine[]): void
  /**
   * Adds all further lines to the tail only. Called when the handler has returned or was given up, before the
   * attempt's end is written.
   */
  close(): void
  /**
   * Removes all lines from the tail. Called when they are part of the stored log of an attempt that was given
   * up.
   */
  clearTail(): void
}

export function createAttemptLog(): AttemptLog {
  let waiting: NewLogLine[] = []
  let isClosed = false
  let lines = 0
  let bytes = 0
  const tail: NewLogLine[] = []
  let tailBytes = 0
  return {
    get waiting() {
      return waiting
    },
    get bytes() {
      return bytes
    },
    get tail() {
      return tail
    },
    add(message, fields) {
      const { text, replacement } = fieldsText(fields)
      const line = { at: new Date(), message: storable(message), fields: text }
      keepInTail(line)
      if (!isClosed) keep(line)
      return replacement
    },
    addStorable(line) {
      keepInTail(line)
      if (!isClosed) keep(line)
    },
    drain() {
      const taken = waiting
      waiting = []
      return taken
    },
    restore(lines) {
      waiting = [...lines, ...waiting]
    },
    close() {
      isClosed = true
    },
    clearTail() {
      tail.length = 0
      tailBytes = 0
    },
  }

  function keep(line: NewLogLine) {
    lines++
    bytes += sizeOf(line)
    if (lines <= MAX_LINES && bytes <= MAX_BYTES) {
      waiting.push(line)
    } else {
      isClosed = true
      waiting.push({ at: line.at, message: LIMIT_REACHED, fields: null })
    }
  }

  function keepInTail(line: NewLogLine) {
    tail.push(line)
    tailBytes += sizeOf(line)
    while (tail.length > MAX_TAIL_LINES || (tailBytes > MAX_TAIL_BYTES && tail.length > 1)) {
      const first = tail.shift()
      if (first) tailBytes -= sizeOf(first)
    }
  }
}

/** Returns the size of a line in bytes. */
function sizeOf({ message, fields }: NewLogLine): number {
  return Buffer.byteLength(message) + (fields === null ? 0 : Buffer.byteLength(fields))
}

const LIMIT_REACHED = `Further lines are dropped: an attempt may log ${MAX_LINES} lines and ${MAX_BYTES / 1_024} KiB`

/** Shortens a message and replaces NUL and lone surrogates, which a Postgres text cannot contain. */
function storable(message: unknown): string {
  const text = typeof message === 'string' ? message : messageOf(message)
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text
  return cut.toWellFormed().replaceAll('\0', '\ufffd')
}

/**
 * Serializes the fields of a log line. If they cannot be stored, `replacement` is a copy in which a text with
 * the reason replaces each field that is not storable, and `text` is the JSON of this copy.
 */
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

/**
 * Returns the fields as JSON; undefined if they are not an object, not serializable, too deep or too large.
 */
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

/**
 * Returns a storable copy of the fields. Each field is serialized alone, so that a field that cannot be
 * stored does not affect the others.
 */
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

// Maximum size of one field in bytes. It applies only if the fields of a line cannot be stored together, so
// that one large field does not use the space of the others.
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

// Reads the header Idempotency-Key (IETF draft "The Idempotency-Key HTTP Header Field"). Requests that repeat
// the key create their tasks only once.
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { AppError } from '../../base/errors.ts'
import { isDeeperThan, MAX_DEPTH } from '../../base/json-depth.ts'
import type { SubmitOptions } from '../../service/submit.ts'
import type { ApiEnv } from '../http/request-context.ts'

// Value of the header: a quoted structured-field string, as the draft requires, or an unquoted text, which
// most clients send.
const KEY =
  /^(?:"(?<quoted>[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|(?<bare>[\x21\x23-\x7e][\x21-\x7e]{0,254}))$/

/**
 * Returns the idempotency key and the fingerprint (hash of the body) for one task of a request.
 * @param part tells the tasks of a request apart; undefined if the request creates one task. In a batch: the
 *   index of the task, or `first` for the first accepted task. In a bulk replay: the id of the original task
 */
export type Idempotency = (part?: number | string) => NonNullable<SubmitOptions['idempotency']>

/**
 * Reads the Idempotency-Key of a request; returns undefined if the header is missing. The stored keys are
 * hashes that also cover the operation and the name of the API key, so the same header value can be used
 * again in other operations and with other API keys.
 * @throws AppError `invalid_header`, `invalid_input`
 */
export function idempotencyOf(c: Context<ApiEnv>, operation: string, body: unknown): Idempotency | undefined {
  const header = c.req.header('Idempotency-Key')
  if (header === undefined) return undefined
  const { quoted, bare } = KEY.exec(header.trim())?.groups ?? {}
  const key = quoted ?? bare
  if (key === undefined) {
    throw new AppError('invalid_header', 'Idempotency-Key: must be 1 to 255 visible ASCII characters')
  }
  // Rejects a body that is nested too deeply for the recursive `canonicalJson`. A valid body has at most
  // MAX_DEPTH + 3 levels: in a batch, the input of a task is three levels below the body.
  if (isDeeperThan(MAX_DEPTH + 5, body)) throw new AppError('invalid_input', 'The body is nested too deeply')
  const caller = c.get('apiKey')?.name
  const fingerprint = hashOf(canonicalJson(body))
  return (part) => ({ key: hashOf(JSON.stringify([caller, operation, key, part])), fingerprint })
}

/**
 * Returns the body as JSON with sorted member names, so that bodies with equal content give equal text.
 * RFC 8785 (JCS) is not used: it fails on unpaired surrogates, which inputs may contain, and on numbers
 * outside the range of a double. In a batch, such a number must reject only the task that contains it.
 */
function canonicalJson(body: unknown): string {
  return JSON.stringify(body, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}

/** Returns the first 128 bits of the SHA-256 hash in the form of a UUID, in which Postgres stores them. */
function hashOf(text: string): string {
  const digits = createHash('sha256').update(text).digest('hex').slice(0, 32)
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

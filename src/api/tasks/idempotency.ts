// Idempotency-Key (IETF draft "The Idempotency-Key HTTP Header Field"): the same request sent again makes nothing new.
import { createHash } from 'node:crypto'
import type { Context } from 'hono'
import { AppError } from '../../base/errors.ts'
import { isDeeperThan, MAX_DEPTH } from '../../base/json-depth.ts'
import type { SubmitOptions } from '../../service/task-service.ts'
import type { ApiEnv } from '../http/request-context.ts'

// A structured-field string, as the draft wants it, or the bare text that most clients send.
const KEY =
  /^(?:"(?<quoted>[\x20-\x21\x23-\x5b\x5d-\x7e]{1,255})"|(?<bare>[\x21\x23-\x7e][\x21-\x7e]{0,254}))$/

/** @param part which of the tasks that one request makes: its place, or what it is made of */
export type Idempotency = (part?: number | string) => NonNullable<SubmitOptions['idempotency']>

/**
 * The caller's key and body, as hashes; undefined where no key came. A key is valid for one operation of one caller.
 * The body is read once, however many tasks it makes.
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
  // The members of options and tasks lie deeper than the input that they carry.
  if (isDeeperThan(MAX_DEPTH + 5, body)) throw new AppError('invalid_input', 'The body is nested too deeply')
  const caller = c.get('apiKey')?.name
  const fingerprint = hashOf(canonicalJson(body))
  return (part) => ({ key: hashOf(JSON.stringify([caller, operation, key, part])), fingerprint })
}

/**
 * The same text for the same content, whatever the order of members. Not RFC 8785, which knows no halves of characters
 * and no numbers beyond all: both can be in a body, and both are accepted without a key.
 */
function canonicalJson(body: unknown): string {
  return JSON.stringify(body, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

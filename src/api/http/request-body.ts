// Reads request bodies: JSON, or an HTML form where the endpoint accepts one.
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { z } from 'zod'
import { AppError } from '../../base/errors.ts'
import { mayHoldExactNumbers, parseExactly } from '../../base/exact-json.ts'
import { faultsOf } from '../../base/faults.ts'
import { numberFaultsOf, rejectFaults } from './number-faults.ts'
import type { ApiEnv } from './request-context.ts'

// Both match the whole media type, as Hono's parsers do. Hono treats a body of another type as an empty one.
const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i
const FORM_TYPE = /^(application\/x-www-form-urlencoded|multipart\/form-data)\s*(;|$)/i

// The routes of all other methods do not read the body.
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** Rejects bodies that are too large before they are parsed. @throws AppError `body_too_large` */
export function limitBody(maxSize: number) {
  const refuse = () => {
    throw new AppError('body_too_large', `The body must not be larger than ${maxSize} bytes`)
  }
  const limitStream = bodyLimit({ maxSize, onError: refuse })
  return createMiddleware((c, next) => {
    if (!METHODS_WITH_BODY.has(c.req.method)) return next()
    const length = c.req.header('Content-Length')
    // Counting the bytes of a stream costs as much as the rest of a request. A declared length needs no
    // counting: Node enforces it, and rejects requests with both Content-Length and Transfer-Encoding.
    if (length === undefined) return limitStream(c, next)
    return Number(length) > maxSize ? refuse() : next()
  })
}

/**
 * Parses the body as JSON.
 * @param options.skipsNumberCheck the caller itself rejects numbers that a double would change
 *   (`numberFaultsOf`)
 * @throws AppError `malformed_json`; `invalid_input` for such numbers
 */
export async function readJson(c: Context, { skipsNumberCheck = false } = {}): Promise<unknown> {
  const text = await c.req.text()
  const body = parsed(text)
  if (!skipsNumberCheck && mayHoldExactNumbers(text)) rejectFaults(numberFaultsOf(body))
  return body
}

function parsed(text: string): unknown {
  try {
    return parseExactly(text)
  } catch (cause) {
    throw new AppError('malformed_json', 'The body must be valid JSON', { cause })
  }
}

/**
 * Reads the fields of a JSON object or an HTML form.
 * @throws AppError `malformed_json`, `unsupported_media_type`, `invalid_input`
 */
export async function readFields(c: Context): Promise<{ fields: Record<string, unknown>; isForm: boolean }> {
  if (isForm(c)) return { fields: await readForm(c), isForm: true }
  if (!isJson(c)) throw new AppError('unsupported_media_type', 'The body must be JSON or an HTML form')
  const body = await readJson(c)
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new AppError('invalid_input', 'The body must be a JSON object', {
      faults: [{ pointer: '#', detail: 'must be an object' }],
    })
  }
  return { fields: { ...body }, isForm: false }
}

async function readForm(c: Context): Promise<Record<string, unknown>> {
  return c.req.parseBody().catch((cause) => {
    throw new AppError('malformed_json', 'The form cannot be parsed', { cause })
  })
}

/** Whether the headers announce a body (RFC 9112, 6). */
export function hasBody(c: Context): boolean {
  return c.req.header('Transfer-Encoding') !== undefined || Number(c.req.header('Content-Length') ?? 0) > 0
}

/** Whether Content-Type is a JSON type. */
export function isJson(c: Context): boolean {
  return JSON_TYPE.test(c.req.header('Content-Type') ?? '')
}

function isForm(c: Context): boolean {
  return FORM_TYPE.test(c.req.header('Content-Type') ?? '')
}

/**
 * Creates middleware that validates a JSON body. If the body is optional, a missing one counts as an empty
 * object.
 * @param options.skipsNumberCheck the route itself rejects numbers that a double would change, item by item
 *   (`numberFaultsOf`)
 * @throws AppError `malformed_json`, `unsupported_media_type`; `invalid_input` with a pointer for every fault
 */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
  { isOptional = false, skipsNumberCheck = false } = {},
): MiddlewareHandler<ApiEnv, string, { in: { json: z.input<Schema> }; out: { json: z.output<Schema> } }> {
  // zod-validator is not used: its asynchronous parsing is a large part of a submission, and it rounds
  // numbers.
  const check = createMiddleware<ApiEnv>(async (c, next) => {
    const isAbsent = isOptional && c.req.header('Content-Type') === undefined && !hasBody(c)
    if (!isJson(c) && !isAbsent)
      throw new AppError(
        'unsupported_media_type',
        'The body must be JSON, with Content-Type: application/json',
      )
    const body = isAbsent ? {} : await readJson(c, { skipsNumberCheck })
    const result = schema.safeParse(body)
    if (!result.success) {
      throw new AppError('invalid_input', 'The body is not valid', { faults: faultsOf(result.error) })
    }
    c.req.addValidatedData('json', result.data as object)
    await next()
  })
  // The middleware has no types for the body; the return type declares what clients send and routes receive.
  return check as never
}

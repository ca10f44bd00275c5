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

// Content types of JSON and of HTML forms. The patterns match the whole media type and not just its
// beginning: Hono's form parser would return an empty form, without an error, for a type such as
// `multipart/form-data2`.
const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i
const FORM_TYPE = /^(application\/x-www-form-urlencoded|multipart\/form-data)\s*(;|$)/i

// The size of a body is checked only for these methods, because routes of other methods do not read it.
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/**
 * Creates middleware that rejects bodies of more than `maxSize` bytes before they are parsed.
 * @throws AppError (the middleware) `body_too_large`
 */
export function limitBody(maxSize: number) {
  const refuse = () => {
    throw new AppError('body_too_large', `The body must not be larger than ${maxSize} bytes`)
  }
  const limitStream = bodyLimit({ maxSize, onError: refuse })
  return createMiddleware((c, next) => {
    if (!METHODS_WITH_BODY.has(c.req.method)) return next()
    const length = c.req.header('Content-Length')
    // Bytes are counted only if Content-Length is missing: a request takes 81 µs with counting and 16 µs
    // without. Node enforces Content-Length, and rejects requests that also have Transfer-Encoding.
    if (length === undefined) return limitStream(c, next)
    return Number(length) > maxSize ? refuse() : next()
  })
}

/**
 * Parses the body as JSON and rejects numbers that would lose digits as a double.
 * @param options.skipsNumberCheck leaves out the check of numbers: the caller must call `numberFaultsOf`
 * @throws AppError `malformed_json`; `invalid_input` for numbers that would lose digits as a double
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
 * Reads the fields of a body that is a JSON object or an HTML form.
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

/** Checks whether the headers of the request announce a body (RFC 9112, 6). */
export function hasBody(c: Context): boolean {
  return c.req.header('Transfer-Encoding') !== undefined || Number(c.req.header('Content-Length') ?? 0) > 0
}

/**
 * Checks whether Content-Type is `application/json` or another JSON type, such as `application/problem+json`.
 */
export function isJson(c: Context): boolean {
  return JSON_TYPE.test(c.req.header('Content-Type') ?? '')
}

function isForm(c: Context): boolean {
  return FORM_TYPE.test(c.req.header('Content-Type') ?? '')
}

/**
 * Creates middleware that validates a JSON body against `schema`.
 * @param options.isOptional accepts a request without a body, and validates an empty object instead
 * @param options.skipsNumberCheck leaves out the check for numbers that would lose digits as a double: the
 *   route must call `numberFaultsOf`
 * @throws AppError (the middleware) `malformed_json`, `unsupported_media_type`; `invalid_input` with a
 *   pointer for every fault
 */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
  { isOptional = false, skipsNumberCheck = false } = {},
): MiddlewareHandler<ApiEnv, string, { in: { json: z.input<Schema> }; out: { json: z.output<Schema> } }> {
  // @hono/zod-validator is not used, because its asynchronous parsing takes a large part of the time of a
  // submission, and because it rounds large numbers.
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
  // The cast adds the types of the body, which `createMiddleware` cannot infer: `in` is the type that the
  // typed client must send, `out` the type that the route receives.
  return check as never
}

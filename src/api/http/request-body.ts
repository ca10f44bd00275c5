// Reads bodies: JSON, or an HTML form where an endpoint takes one.
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { z } from 'zod'
import { AppError } from '../../base/errors.ts'
import { mayHoldExactNumbers, parseExactly } from '../../base/exact-json.ts'
import { faultsOf } from '../../base/faults.ts'
import { numberFaultsOf, refuseAny } from './number-faults.ts'
import type { ApiEnv } from './request-context.ts'

// To the end of the type, as Hono's own parsers have it: what they do not know they take for no body at all.
const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i
const FORM_TYPE = /^(application\/x-www-form-urlencoded|multipart\/form-data)\s*(;|$)/i

// Of all others nobody reads the body.
const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH'])

/** Refuses bodies that are too large, before anybody reads them. */
export function limitBody(maxSize: number) {
  const refuse = () => {
    throw new AppError('body_too_large', `The body must not be larger than ${maxSize} bytes`)
  }
  const limitStream = bodyLimit({ maxSize, onError: refuse })
  return createMiddleware((c, next) => {
    if (!METHODS_WITH_BODY.has(c.req.method)) return next()
    const length = c.req.header('Content-Length')
    // Counting a stream costs as much as all the rest of a request; a declared length is enforced by Node itself, which
    // takes no request that has a Transfer-Encoding beside it.
    if (length === undefined) return limitStream(c, next)
    return Number(length) > maxSize ? refuse() : next()
  })
}

/**
 * @param options.takesAnyNumber leaves it to the caller to look for numbers that could not be kept
 * @throws AppError `malformed_json`; `invalid_input` for such numbers
 */
export async function readJson(c: Context, { takesAnyNumber = false } = {}): Promise<unknown> {
  const text = await c.req.text()
  const body = parsed(text)
  if (!takesAnyNumber && mayHoldExactNumbers(text)) refuseAny(numberFaultsOf(body))
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
 * The fields of a JSON object or of a form.
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
    throw new AppError('malformed_json', 'The form cannot be read', { cause })
  })
}

/** Whether anything is sent behind the headers (RFC 9112, 6). */
export function hasBody(c: Context): boolean {
  return c.req.header('Transfer-Encoding') !== undefined || Number(c.req.header('Content-Length') ?? 0) > 0
}

/** Whether the body says that it is JSON. */
export function isJson(c: Context): boolean {
  return JSON_TYPE.test(c.req.header('Content-Type') ?? '')
}

function isForm(c: Context): boolean {
  return FORM_TYPE.test(c.req.header('Content-Type') ?? '')
}

/**
 * Checks a JSON body; where it is optional, none is as good as an empty object.
 * @param options.answersItems leaves it to the route to refuse numbers that cannot be kept (`numberFaultsOf`), item by item
 * @throws AppError `malformed_json`, `unsupported_media_type`; `invalid_input` with a pointer for every fault
 */
export function jsonBody<Schema extends z.ZodType>(
  schema: Schema,
  { isOptional = false, answersItems = false } = {},
): MiddlewareHandler<ApiEnv, string, { in: { json: z.input<Schema> }; out: { json: z.output<Schema> } }> {
  // Not zod-validator's: its asynchronous parse would be a good part of what a submission costs; and it rounds numbers.
  const check = createMiddleware<ApiEnv>(async (c, next) => {
    const isAbsent = isOptional && c.req.header('Content-Type') === undefined && !hasBody(c)
    if (!isJson(c) && !isAbsent)
      throw new AppError(
        'unsupported_media_type',
        'The body must be JSON, with Content-Type: application/json',
      )
    const body = isAbsent ? {} : await readJson(c, { takesAnyNumber: answersItems })
    const result = schema.safeParse(body)
    if (!result.success) {
      throw new AppError('invalid_input', 'The body is not valid', { faults: faultsOf(result.error) })
    }
    c.req.addValidatedData('json', result.data as object)
    await next()
  })
  // Hono's type has as sent what the schema makes of it.
  return check as never
}

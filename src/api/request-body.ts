// Reads bodies: JSON, or an HTML form where an endpoint takes one.
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { AppError, type Fault } from '../errors.ts'
import { isExactNumber, isKept, mayHoldExactNumbers, parseExactly } from '../exact-json.ts'
import { MAX_DEPTH, MAX_FAULTS, pointerOf } from '../task-input.ts'
import type { TaskDefinition } from '../tasks/define.ts'
import { schemaOf } from './task-view.ts'

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

function refuseAny(faults: Fault[]) {
  if (faults.length > 0) throw new AppError('invalid_input', 'The body is not valid', { faults })
}

/**
 * A fault for each number that could not be kept as it is written; the first of them where they are many. What lies too
 * deep to be looked at is refused for that. @param base where the value stands in the body
 */
export function numberFaultsOf(body: unknown, base: string[] = []): Fault[] {
  const faults: Fault[] = []
  look(body, base)
  return faults

  function look(value: unknown, path: string[]) {
    if (typeof value !== 'object' || value === null || faults.length === MAX_FAULTS) return
    if (isExactNumber(value)) faults.push(numberFault(path))
    else if (path.length <= MAX_DEPTH + BODY_LEVELS)
      for (const [name, member] of Object.entries(value)) look(member, [...path, name])
  }
}

// How far down in a body an input lies: in a batch below `tasks`, its place, and `input`.
const BODY_LEVELS = 3

function numberFault(path: string[]): Fault {
  return { pointer: pointerOf(path), detail: 'is too large to be kept as it is written: send it as a string' }
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
 * Forms and query strings know only texts: turns those that look like it into the numbers the definition asks for.
 * @throws AppError `invalid_input` for a number that could not be kept as it is written
 */
export function coerceTexts(
  definition: TaskDefinition,
  fields: Record<string, unknown>,
): Record<string, unknown> {
  const properties: Record<string, { type?: unknown }> = schemaOf(definition.input).properties ?? {}
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const type = properties[name]?.type
      const isNumber = (type === 'number' || type === 'integer') && looksLikeNumber(value)
      if (isNumber && !isKept(value)) refuseAny([numberFault([name])])
      return [name, isNumber ? Number(value) : value]
    }),
  )
}

function looksLikeNumber(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))
}

// Admits requests: checks API key, scope and rate limit. Each route names its operation, which says what it
// requires.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../../base/errors.ts'
import type { ApiKey, Scope } from '../../config.ts'
import type { RateLimiter, RateLimitState } from '../../redis/rate-limiter.ts'
import { findApiKey, isPollToken } from './api-keys.ts'
import { createBodyBudget } from './body-budget.ts'
import type { ApiEnv } from './request-context.ts'

export interface AdmissionOptions {
  /** Accepted API keys; undefined if no key is required. */
  apiKeys?: ApiKey[]
  /** Counts the requests of each client; undefined if there is no rate limit. */
  rateLimiter?: RateLimiter
  /** Returns the IP address or network by which the rate limiter identifies a client without an API key. */
  clientAddress: (c: Context) => string
  /** Largest permitted request body. */
  bodyLimitBytes: number
}

/**
 * Access that a route requires: an API key with this scope, an API key with any scope (`any key`), or either
 * a key with the scope `read` or the poll token of the task whose id is in the path (`read or poll token`).
 */
export type RequiredAccess = Scope | 'any key' | 'read or poll token'

/** What admission needs to know of an operation (`../openapi/operation.ts`). */
export interface AdmittedOperation {
  access: RequiredAccess
  isExpensive?: (c: Context<ApiEnv>) => boolean
}

export type Admission = ReturnType<typeof createAdmission>

/**
 * Returns a function that creates the admission middleware of an operation. Requests count against the
 * client's rate limit if the operation requires `submit` or `operate`, or if `isExpensive` returns true for
 * them. `check`, an additional check of the route, runs after admission in the same middleware: a second
 * middleware would cost every request another promise.
 * @throws AppError (the middleware) `unauthorized`, `forbidden`, `rate_limited`, `overloaded`, and the errors
 * of `check`
 */
export function createAdmission(options: AdmissionOptions) {
  const { apiKeys, rateLimiter, clientAddress, bodyLimitBytes } = options
  const withinBodyBudget = createBodyBudget(bodyLimitBytes)
  return <Path extends string = string>(
    { access: required, isExpensive }: AdmittedOperation,
    check?: (c: Context<ApiEnv, Path>) => void,
  ) => {
    const isChange = required === 'submit' || required === 'operate'
    return createMiddleware<ApiEnv, Path>((c, next) => {
      if (apiKeys) authorize(c, apiKeys, required)
      if (rateLimiter && (isChange || isExpensive?.(c)))
        return countRequest(c, rateLimiter, clientOf(c)).then(proceed)
      return proceed()

      function proceed() {
        check?.(c)
        return isChange ? withinBodyBudget(c, next) : next()
      }
    })
  }

  function clientOf(c: Context<ApiEnv>): string {
    const apiKey = c.get('apiKey')
    return apiKey ? `key:${apiKey.name}` : `address:${clientAddress(c)}`
  }
}

function authorize(c: Context<ApiEnv>, apiKeys: ApiKey[], required: RequiredAccess): void {
  if (required === 'read or poll token' && hasPollToken(c, apiKeys)) return
  const presented = presentedKeys(c)
  const [apiKey] = presented.flatMap((key) => findApiKey(apiKeys, key) ?? [])
  if (!apiKey) {
    c.header('WWW-Authenticate', 'Bearer realm="waggle"')
    const detail = presented.length === 0 ? 'This request needs an API key' : 'This API key is not known'
    throw new AppError('unauthorized', `${detail}: send it as Authorization: Bearer <key>, or as X-API-Key`)
  }
  const scope = required === 'read or poll token' ? 'read' : required
  if (scope !== 'any key' && !apiKey.scopes.includes(scope)) {
    throw new AppError('forbidden', `This request needs an API key with the scope "${scope}"`)
  }
  c.set('apiKey', apiKey)
}

/**
 * Returns the keys in Authorization and X-API-Key. Both headers are read, because a proxy or a client library
 * may have set Authorization to another value.
 */
function presentedKeys(c: Context): string[] {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(c.req.header('Authorization') ?? '') ?? []
  return [bearer, c.req.header('X-API-Key')].filter((key) => key !== undefined)
}

function hasPollToken(c: Context, apiKeys: ApiKey[]): boolean {
  const token = c.req.query('poll_token')
  return token !== undefined && isPollToken(apiKeys, c.req.param('id') ?? '', token)
}

async function countRequest(c: Context<ApiEnv>, rateLimiter: RateLimiter, client: string): Promise<void> {
  const state = await rateLimiter.count(client)
  if (!state) return
  c.set('responseHeaders', rateLimitHeaders(state))
  if (!state.isExceeded) return
  c.header('Retry-After', String(state.resetSeconds))
  throw new AppError(
    'rate_limited',
    `More than ${state.requests} requests in ${state.seconds} s: try again in ${state.resetSeconds} s`,
  )
}

/** Returns the client's rate limit as response headers (draft-ietf-httpapi-ratelimit-headers-10). */
function rateLimitHeaders({ requests, seconds, remaining, resetSeconds }: RateLimitState) {
  return {
    'RateLimit-Policy': `"default";q=${requests};w=${seconds}`,
    RateLimit: `"default";r=${remaining};t=${resetSeconds}`,
  }
}

// Who may do what, and how often: one middleware per route that names the scope it needs.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { AppError } from '../../base/errors.ts'
import type { ApiKey, Scope } from '../../config.ts'
import type { RateLimiter, RateLimitState } from '../../redis/rate-limiter.ts'
import { findApiKey, isPollToken } from './api-keys.ts'
import type { ApiEnv } from './request-context.ts'

export interface AdmissionOptions {
  /** Undefined lets everybody in. */
  apiKeys?: ApiKey[]
  /** Undefined limits nobody. */
  rateLimiter?: RateLimiter
  /** Who asks, where no key tells it. */
  clientAddress: (c: Context) => string
}

/** What a route needs: a scope, any key at all, or the token of the task that its path names. */
export type Need = Scope | 'any key' | 'read or poll token'

export type Admission = ReturnType<typeof createAdmission>

/**
 * @returns what makes the middleware of a route. It throws AppError `unauthorized`, `forbidden`, `rate_limited`, and what
 *   the `check` throws that may follow: a middleware of its own would cost every request another promise.
 *   Everything that changes something counts against the client's limit; looking does not.
 */
export function createAdmission({ apiKeys, rateLimiter, clientAddress }: AdmissionOptions) {
  return <Path extends string = string>(need: Need, check?: (c: Context<ApiEnv, Path>) => void) => {
    const isLimited = rateLimiter !== undefined && (need === 'submit' || need === 'operate')
    return createMiddleware<ApiEnv, Path>((c, next) => {
      if (apiKeys) authorize(c, apiKeys, need)
      if (isLimited) return limit(c, rateLimiter, clientOf(c)).then(goOn)
      return goOn()

      function goOn() {
        check?.(c)
        return next()
      }
    })
  }

  function clientOf(c: Context<ApiEnv>): string {
    const apiKey = c.get('apiKey')
    return apiKey ? `key:${apiKey.name}` : `address:${clientAddress(c)}`
  }
}

function authorize(c: Context<ApiEnv>, apiKeys: ApiKey[], need: Need): void {
  if (need === 'read or poll token' && hasPollToken(c, apiKeys)) return
  const presented = presentedKeys(c)
  const [apiKey] = presented.flatMap((key) => findApiKey(apiKeys, key) ?? [])
  if (!apiKey) {
    c.header('WWW-Authenticate', 'Bearer realm="waggle"')
    const detail = presented.length === 0 ? 'This needs an API key' : 'This API key is not known'
    throw new AppError('unauthorized', `${detail}: send it as Authorization: Bearer <key>, or as X-API-Key`)
  }
  const scope = need === 'read or poll token' ? 'read' : need
  if (scope !== 'any key' && !apiKey.scopes.includes(scope)) {
    throw new AppError('forbidden', `This needs an API key with the scope "${scope}"`)
  }
  c.set('apiKey', apiKey)
}

/** Both places: a proxy or a client library may have put something of its own into the first. */
function presentedKeys(c: Context): string[] {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(c.req.header('Authorization') ?? '') ?? []
  return [bearer, c.req.header('X-API-Key')].filter((key) => key !== undefined)
}

function hasPollToken(c: Context, apiKeys: ApiKey[]): boolean {
  const token = c.req.query('poll_token')
  return token !== undefined && isPollToken(apiKeys, c.req.param('id') ?? '', token)
}

async function limit(c: Context<ApiEnv>, rateLimiter: RateLimiter, client: string): Promise<void> {
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

/** As in draft-ietf-httpapi-ratelimit-headers-10. */
function rateLimitHeaders({ requests, seconds, remaining, resetSeconds }: RateLimitState) {
  return {
    'RateLimit-Policy': `"default";q=${requests};w=${seconds}`,
    RateLimit: `"default";r=${remaining};t=${resetSeconds}`,
  }
}

// Gives every request an id and a trace context, and adds the headers that all responses have.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { newId } from '../../base/uuidv7.ts'
import type { ApiKey } from '../../config.ts'

export interface ApiEnv {
  Variables: {
    requestId: string
    /** The `traceparent` header (W3C Trace Context); undefined if the request has no valid one. */
    traceparent: string | undefined
    /** The accepted API key; undefined if the API requires no keys, or if a poll token was used. */
    apiKey: ApiKey | undefined
    /** Headers that the response gets whatever its status, for example those of the rate limit. */
    responseHeaders: Record<string, string> | undefined
    /**
     * Whether the headers that all responses have were already added when the response was created. If not,
     * the middleware of `beginRequest` adds them to the finished response.
     */
    hasCommonHeaders: boolean | undefined
  }
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/
const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/**
 * Creates middleware that takes request id and trace context from the request headers, or generates a request
 * id, and returns both as response headers.
 * @param onResponse called when the response exists, with the milliseconds since the start of the request;
 *   the body of an event stream is not complete by then
 */
export function beginRequest(onResponse?: (c: Context<ApiEnv>, ms: number) => void) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedMs = performance.now()
    const given = c.req.header('X-Request-Id')
    c.set('requestId', given !== undefined && REQUEST_ID.test(given) ? given : newId())
    const traceparent = c.req.header('Traceparent')
    if (traceparent !== undefined && TRACEPARENT.test(traceparent)) c.set('traceparent', traceparent)
    await next()
    if (!c.get('hasCommonHeaders'))
      for (const [name, value] of Object.entries(addCommonHeaders(c, {}))) c.res.headers.set(name, value)
    onResponse?.(c, performance.now() - startedMs)
  })
}

/**
 * Adds to `headers` the headers that all responses have, and returns the same object. Referrers are
 * forbidden, because a URL may contain a poll token. Frequent routes call this before they create the
 * response, because setting headers of an existing response costs more.
 */
export function addCommonHeaders(
  c: Context<ApiEnv>,
  headers: Record<string, string>,
): Record<string, string> {
  c.set('hasCommonHeaders', true)
  headers['X-Content-Type-Options'] = 'nosniff'
  headers['X-Frame-Options'] = 'DENY'
  headers['Referrer-Policy'] = 'no-referrer'
  headers['X-Request-Id'] = c.get('requestId')
  const traceparent = c.get('traceparent')
  if (traceparent !== undefined) headers.Traceparent = traceparent
  return Object.assign(headers, c.get('responseHeaders'))
}

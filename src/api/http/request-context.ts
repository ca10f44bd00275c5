// What every request has: an id, a place in a trace, and headers on its answer.
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { newId } from '../../base/uuidv7.ts'
import type { ApiKey } from '../../config.ts'

export interface ApiEnv {
  Variables: {
    requestId: string
    /** W3C Trace Context, where the caller sent one. */
    traceparent: string | undefined
    /** The key it came with; undefined while the API is open to everybody. */
    apiKey: ApiKey | undefined
    /** For the answer, whatever it is. */
    responseHeaders: Record<string, string> | undefined
    /** The answer carries the common headers already. */
    hasCommonHeaders: boolean | undefined
  }
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/
const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/**
 * Takes over the caller's request id and trace, or begins its own, and returns them with the answer.
 * @param announce is told when the answer is made, and after how many milliseconds
 */
export function beginRequest(announce?: (c: Context<ApiEnv>, ms: number) => void) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedMs = performance.now()
    const given = c.req.header('X-Request-Id')
    c.set('requestId', given !== undefined && REQUEST_ID.test(given) ? given : newId())
    const traceparent = c.req.header('Traceparent')
    if (traceparent !== undefined && TRACEPARENT.test(traceparent)) c.set('traceparent', traceparent)
    await next()
    if (!c.get('hasCommonHeaders'))
      for (const [name, value] of Object.entries(addCommonHeaders(c, {}))) c.res.headers.set(name, value)
    announce?.(c, performance.now() - startedMs)
  })
}

/**
 * Adds to headers what every answer carries: it is what it says it is, nobody frames it, and its address (which may hold a
 * token) stays here. Answers that are made with them at once are cheaper than those that get them afterwards.
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

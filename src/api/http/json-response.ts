// JSON responses with several headers, for the hottest paths. `c.json` builds a `Headers` object from them,
// which costs about as much as the rest of the response; the server writes a plain object directly.
import type { Context, TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'
import { type ApiEnv, addCommonHeaders } from './request-context.ts'

/** Returns a JSON response. The typed client sees the same type as for a response of `c.json`. */
export function jsonResponse<Body extends object, Status extends ContentfulStatusCode>(
  c: Context<ApiEnv>,
  body: Body,
  status: Status,
  headers: Record<string, string>,
) {
  return jsonTextResponse<Body, Status>(c, JSON.stringify(body), status, headers)
}

/**
 * Like `jsonResponse`, for a body that is JSON text already. Adds the common headers to the object `headers`.
 */
export function jsonTextResponse<Body extends object, Status extends ContentfulStatusCode>(
  c: Context<ApiEnv>,
  text: string,
  status: Status,
  headers: Record<string, string>,
) {
  headers['Content-Type'] = 'application/json'
  addCommonHeaders(c, headers)
  const response = new Response(text, { status, headers })
  // `TypedResponse` adds only type parameters; at run time it is a plain Response.
  return response as Response & TypedResponse<JSONParsed<Body>, Status, 'json'>
}

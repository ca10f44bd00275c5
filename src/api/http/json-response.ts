// A JSON answer with several headers for the hottest paths. `c.json` makes a `Headers` of them, which costs about as
// much as the rest of the answer; the server writes a plain object as it is.
import type { Context, TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'
import { type ApiEnv, addCommonHeaders } from './request-context.ts'

/** Typed for the client as `c.json` types its answers. */
export function jsonResponse<Body extends object, Status extends ContentfulStatusCode>(
  c: Context<ApiEnv>,
  body: Body,
  status: Status,
  headers: Record<string, string>,
) {
  return jsonTextResponse<Body, Status>(c, JSON.stringify(body), status, headers)
}

/** The same for a body that is text already. The headers are taken over: the common ones are added to them. */
export function jsonTextResponse<Body extends object, Status extends ContentfulStatusCode>(
  c: Context<ApiEnv>,
  text: string,
  status: Status,
  headers: Record<string, string>,
) {
  headers['Content-Type'] = 'application/json'
  addCommonHeaders(c, headers)
  const response = new Response(text, { status, headers })
  // The type parameters are all that `TypedResponse` adds; nothing of it exists at run time.
  return response as Response & TypedResponse<JSONParsed<Body>, Status, 'json'>
}

// A JSON answer with several headers for the hottest paths. `c.json` makes a `Headers` of them, which costs about as
// much as the rest of the answer; the server writes a plain object as it is.
import type { Context, TypedResponse } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'
import { type ApiEnv, commonHeaders } from './request-context.ts'

/** Typed for the client as `c.json` types its answers. */
export function jsonResponse<Body extends object, Status extends ContentfulStatusCode>(
  c: Context<ApiEnv>,
  body: Body,
  status: Status,
  headers: Record<string, string>,
) {
  c.set('isDressed', true)
  const response = new Response(JSON.stringify(body), {
    status,
    headers: { 'Content-Type': 'application/json', ...commonHeaders(c), ...headers },
  })
  // The type parameters are all that `TypedResponse` adds; nothing of it exists at run time.
  return response as Response & TypedResponse<JSONParsed<Body>, Status, 'json'>
}

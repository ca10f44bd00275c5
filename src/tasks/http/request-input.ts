// The input of the task `http_request`, as zod schemas.
import { z } from 'zod'
import type { AddressGuard } from './address-guard.ts'
import { targetUrl } from './target-url.ts'

const MAX_BODY_LENGTH = 256 * 1_024
const MAX_HEADERS = 50

export type HttpRequestInput = z.output<ReturnType<typeof httpRequestInput>>

export function httpRequestInput(guard: AddressGuard) {
  return z
    .strictObject({
      url: targetUrl(guard).meta({ title: 'URL', format: 'uri' }),
      method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
      headers: headers
        .optional()
        .meta({ title: 'Headers', description: 'Stored and shown with the task, like all of its input' }),
      body: z
        .unknown()
        .refine((body) => textOf(body).length <= MAX_BODY_LENGTH, `must be at most ${MAX_BODY_LENGTH} long`)
        .optional()
        .meta({ title: 'Body', description: 'A string is sent unchanged, any other value as JSON' }),
      expect: z
        .strictObject({
          status: z
            .array(statusOrRange.meta({ title: 'Status' }))
            .min(1)
            .max(20)
            .optional()
            .meta({ title: 'Statuses' }),
        })
        .optional()
        .meta({
          title: 'Expected response',
          description: 'Statuses such as 200 and ranges such as 300-399. Default: any 2xx',
        }),
    })
    .refine(({ method, body }) => body === undefined || !/^(GET|HEAD)$/.test(method), {
      path: ['body'],
      error: 'must be left out with GET and HEAD',
    })
}

/** Returns the text of a request body: a string unchanged, any other value as JSON. */
export function textOf(body: unknown): string {
  // Replaces lone surrogates, which UTF-8 cannot encode, so that the signed text is the text that is sent.
  return (typeof body === 'string' ? body : (JSON.stringify(body) ?? '')).toWellFormed()
}

// Headers that the input must not contain: headers of the connection (RFC 9110, 7.6.1), headers that follow
// from URL and body, and Accept-Encoding, because a compressed response body could not be stored as text.
const REFUSED_HEADERS = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const headerName = z
  .string()
  .max(128)
  .regex(/^[!#$%&'*+.^_`|~0-9a-z-]+$/i, 'must be a valid header name')
  .refine(
    (name) => !REFUSED_HEADERS.has(name.toLowerCase()),
    'must not be a header that the HTTP client sets itself',
  )

const headerValue = z
  .string()
  .max(4_096)
  .regex(/^[\t\x20-\x7e]*$/, 'must be ASCII without control characters')

const headers = z
  .record(headerName, headerValue)
  .refine((given) => Object.keys(given).length <= MAX_HEADERS, `must be at most ${MAX_HEADERS}`)

const statusOrRange = z.union([
  z.int().min(200).max(599),
  z.string().regex(/^[2-5]\d\d-[2-5]\d\d$/, 'must be a range of statuses, e.g. 200-299'),
])

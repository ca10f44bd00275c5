// Sends a request and follows its redirects, to allowed addresses only. Long response bodies are truncated.
import { type Dispatcher, request as sendOnce } from 'undici'
import { messageOf } from '../../base/errors.ts'
import { PermanentError } from '../../definitions/define.ts'
import { type AddressGuard, createAddressGuard } from './address-guard.ts'
import { createGuardedAgent, type Resolve } from './guarded-agent.ts'
import { type HttpRequest, isRedirect, redirected } from './redirect.ts'

export interface HttpResponse {
  status: number
  /** Header names are in lower case; several values of one header are joined by commas. */
  headers: Record<string, string>
  body: string
  isBodyTruncated: boolean
  /** URL that sent this response: that of the request, or the target of the last redirect. */
  url: URL
}

export interface HttpClient {
  guard: AddressGuard
  /**
   * Sends a request and follows redirects. Resolves with the last response, whatever its status.
   * @param isExpected checks whether the caller expects a status. An expected redirect is not followed
   * @throws PermanentError if an address is refused or there are too many redirects; another Error if the
   * request fails
   */
  send(
    request: HttpRequest,
    options: { isExpected: (status: number) => boolean; signal: AbortSignal },
  ): Promise<HttpResponse>
}

export interface HttpClientOptions {
  /** Hosts, addresses and ranges (CIDR) that are allowed in addition to public addresses. */
  allow?: readonly string[]
  /** DNS lookup of host names. Default: the resolver of the operating system. */
  resolve?: Resolve
}

// Maximum number of redirects that are followed: enough from http to https, to www, and to a new path. More
// are most likely a loop.
const MAX_REDIRECTS = 5
// Headers of each request unless the caller sets others. Many servers refuse requests without a User-Agent.
const DEFAULT_HEADERS = { accept: '*/*', 'user-agent': 'Waggle' }
const MAX_BODY_BYTES = 64 * 1_024
// Maximum size of the body of a redirect response. It is read and discarded, so that the connection can be
// reused; if the body is longer, the connection is closed.
const MAX_SKIPPED_BYTES = 16 * 1_024

export function createHttpClient({ allow, resolve }: HttpClientOptions = {}): HttpClient {
  const guard = createAddressGuard(allow)
  const dispatcher = createGuardedAgent(guard, resolve)

  return {
    guard,
    async send(request, { isExpected, signal }) {
      let hop = request
      for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
        const response = await withReason(hop, signal, () => dispatch(hop, signal))
        const status = response.statusCode
        const location = firstOf(response.headers.location)
        if (location === undefined || !isRedirect(status) || isExpected(status))
          return withReason(hop, signal, () => readResponse(response, hop.url))
        await response.body.dump({ limit: MAX_SKIPPED_BYTES, signal })
        hop = redirected(hop, status, location)
      }
      throw new PermanentError(
        `Task "${request.taskName}": ${request.method} ${request.url.host} was redirected more than ${MAX_REDIRECTS} times`,
      )
    },
  }

  function dispatch({ method, url, callerHeaders, ownHeaders, body }: HttpRequest, signal: AbortSignal) {
    return sendOnce(url, {
      dispatcher,
      // The cast is safe: the input schema allows only methods that undici knows, and a redirect can only
      // change the method to GET.
      method: method as Dispatcher.HttpMethod,
      headers: { ...DEFAULT_HEADERS, ...callerHeaders, ...ownHeaders },
      body,
      signal,
    })
  }
}

async function readResponse(response: Dispatcher.ResponseData, url: URL): Promise<HttpResponse> {
  const { bytes, isTruncated } = await readAtMost(MAX_BODY_BYTES, response.body)
  // With `stream`, the decoder omits an incomplete character at the end of a truncated body instead of
  // replacing it by U+FFFD.
  const body = new TextDecoder().decode(bytes, { stream: isTruncated })
  const headers = Object.entries(response.headers).map(([name, value]) => [name, [value].flat().join(', ')])
  return {
    status: response.statusCode,
    headers: Object.fromEntries(headers),
    body,
    isBodyTruncated: isTruncated,
    url,
  }
}

async function readAtMost(limit: number, body: Dispatcher.ResponseData['body']) {
  // If the body is longer than `limit`, the loop below ends early. That destroys the body, which then emits
  // `error`; this listener ignores it. The loop itself throws all other errors of the body.
  body.on('error', () => {})
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length > limit) break
  }
  return { bytes: Buffer.concat(chunks).subarray(0, limit), isTruncated: length > limit }
}

/**
 * Runs `work` and adds the task to the message of an error. Replaces the message of a network error, because
 * clients see it and the original can contain internal addresses. The original error becomes `cause`.
 */
async function withReason<T>(hop: HttpRequest, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (signal.aborted) throw error
    if (error instanceof PermanentError) throw new PermanentError(`Task "${hop.taskName}": ${error.message}`)
    throw new Error(`Task "${hop.taskName}": ${hop.method} ${hop.url.host} failed: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the lookup of the host name failed temporarily',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_SOCKET: 'the connection was closed before the response was complete',
  UND_ERR_HEADERS_OVERFLOW: 'the response headers are too long',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code) return REASONS[code] ?? code
  return error instanceof Error ? error.name : messageOf(error)
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

// Sends one request: every hop to allowed addresses only, and never more of the answer read than is kept.
import { type Dispatcher, request as sendOnce } from 'undici'
import { messageOf } from '../../base/errors.ts'
import { PermanentError } from '../../definitions/define.ts'
import { type AddressGuard, createAddressGuard } from './address-guard.ts'
import { createGuardedAgent, type Resolve } from './guarded-agent.ts'
import { type HttpRequest, isRedirect, redirected } from './redirect.ts'

export interface HttpAnswer {
  status: number
  /** Names in lower case; those of which there are several are joined by commas. */
  headers: Record<string, string>
  body: string
  isBodyTruncated: boolean
  /** Of the last hop. */
  url: URL
}

export interface HttpClient {
  guard: AddressGuard
  /**
   * @param isExpected whether the caller wants this status as it is; a redirect is followed otherwise
   * @throws PermanentError where a hop is refused; any other error where the network failed
   */
  send(
    request: HttpRequest,
    options: { isExpected: (status: number) => boolean; signal: AbortSignal },
  ): Promise<HttpAnswer>
}

export interface HttpClientOptions {
  /** Hosts, addresses and ranges (CIDR) that are allowed although they are not public. */
  allow?: readonly string[]
  /** How names become addresses; the system's way where it is left out. */
  resolve?: Resolve
}

// Enough for http to https to www to the new path; more is a loop.
const MAX_REDIRECTS = 5
// Many servers refuse whoever does not say who he is.
const DEFAULT_HEADERS = { accept: '*/*', 'user-agent': 'Waggle' }
const MAX_BODY_BYTES = 64 * 1_024
// Read so that the connection can be used again; a longer one is closed.
const MAX_SKIPPED_BYTES = 16 * 1_024

export function createHttpClient({ allow, resolve }: HttpClientOptions = {}): HttpClient {
  const guard = createAddressGuard(allow)
  const dispatcher = createGuardedAgent(guard, resolve)

  return {
    guard,
    async send(request, { isExpected, signal }) {
      let hop = request
      for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
        const response = await named(hop, signal, () => dispatch(hop, signal))
        const status = response.statusCode
        const location = firstOf(response.headers.location)
        if (location === undefined || !isRedirect(status) || isExpected(status))
          return named(hop, signal, () => answerOf(response, hop.url))
        await response.body.dump({ limit: MAX_SKIPPED_BYTES, signal })
        hop = redirected(hop, status, location)
      }
      throw new PermanentError(
        `Task "http_request": ${request.method} ${request.url.host} was redirected more than ${MAX_REDIRECTS} times`,
      )
    },
  }

  function dispatch({ method, url, callerHeaders, ownHeaders, body }: HttpRequest, signal: AbortSignal) {
    return sendOnce(url, {
      dispatcher,
      // The schema of the task allows six of undici's methods, and a redirect makes only GET.
      method: method as Dispatcher.HttpMethod,
      headers: { ...DEFAULT_HEADERS, ...callerHeaders, ...ownHeaders },
      body,
      signal,
    })
  }
}

async function answerOf(response: Dispatcher.ResponseData, url: URL): Promise<HttpAnswer> {
  const { bytes, isTruncated } = await readAtMost(MAX_BODY_BYTES, response.body)
  // As a stream, so that a character cut in two is left out and not replaced.
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
  // Closing it early is what we mean to do, and no error.
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

/** An error of the network in our own words: those of the system name addresses, which are nobody's business. */
async function named<T>(hop: HttpRequest, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PermanentError || signal.aborted) throw error
    throw new Error(`Task "http_request": ${hop.method} ${hop.url.host} failed: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'the host name is not known',
  EAI_AGAIN: 'the host name cannot be looked up at the moment',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_SOCKET: 'the connection was closed before the answer was complete',
  UND_ERR_HEADERS_OVERFLOW: 'the headers of the answer are too long',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code) return REASONS[code] ?? code
  return error instanceof Error ? error.name : messageOf(error)
}

function firstOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

// Where a redirect leads, and what of the request goes with it. Pure.
import { PermanentError } from '../../definitions/define.ts'
import { faultOfUrl } from './target-url.ts'

export interface HttpRequest {
  method: string
  url: URL
  /** As the caller gave them, names in lower case. They are for the caller's host and for nobody else. */
  callerHeaders: Record<string, string>
  /** Ours: about the task and the body. They go wherever the body goes. */
  ownHeaders: Record<string, string>
  body?: string
}

const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308])

export function isRedirect(status: number): boolean {
  return REDIRECT_STATUSES.has(status)
}

/**
 * The request to send next, by the rules of browsers (Fetch, 4.4 HTTP-redirect fetch).
 * @throws PermanentError when it leads to what is no http or https URL, or to one with credentials
 */
export function redirected(request: HttpRequest, status: number, location: string): HttpRequest {
  const url = URL.parse(location, request.url.href)
  const fault = faultOfUrl(url?.href ?? '')
  if (!url || fault) {
    throw new PermanentError(
      `Task "http_request": ${request.method} ${request.url.host} answered ${status} with a Location that is not followed: it ${fault}`,
    )
  }
  const hop = becomesGet(status, request.method) ? withoutBody(request) : request
  const isSameOrigin = url.origin === request.url.origin
  return { ...hop, url, callerHeaders: isSameOrigin ? hop.callerHeaders : {} }
}

function becomesGet(status: number, method: string): boolean {
  if (status === 303) return method !== 'GET' && method !== 'HEAD'
  return (status === 301 || status === 302) && method === 'POST'
}

function withoutBody({ callerHeaders, ...request }: HttpRequest): HttpRequest {
  const kept = Object.entries(callerHeaders).filter(([name]) => !name.startsWith('content-'))
  // The key and the signature speak of a request with a body that is not sent any more.
  return {
    ...request,
    method: 'GET',
    callerHeaders: Object.fromEntries(kept),
    ownHeaders: {},
    body: undefined,
  }
}

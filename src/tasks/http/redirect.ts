// Computes the request that follows a redirect response. Sends nothing.
import { PermanentError } from '../../definitions/define.ts'
import { faultOfUrl } from './target-url.ts'

export interface HttpRequest {
  /** Name of the definition of the task that sends the request, for error messages. */
  taskName: string
  method: string
  url: URL
  /**
   * Headers from the task's input, names in lower case. A redirect to another origin removes them, because
   * they may be credentials.
   */
  callerHeaders: Record<string, string>
  /**
   * Headers that the task adds itself, such as the signature. They belong to the body, so a redirect
   * that drops the body drops them too.
   */
  ownHeaders: Record<string, string>
  body?: string
}

const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308])

export function isRedirect(status: number): boolean {
  return REDIRECT_STATUSES.has(status)
}

/**
 * Returns the request to send after a redirect, by the rules of browsers (Fetch, 4.4 HTTP-redirect fetch).
 * The headers of the caller are removed when the origin changes.
 * @throws PermanentError if the target is not an http or https URL, contains credentials, or is too long
 */
export function redirected(request: HttpRequest, status: number, location: string): HttpRequest {
  const url = URL.parse(location, request.url.href)
  const fault = faultOfUrl(url?.href ?? '')
  if (!url || fault) {
    throw new PermanentError(
      `Task "${request.taskName}": ${request.method} ${request.url.host} answered ${status} with a Location that is not followed: it ${fault}`,
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
  // The headers that the task has added are dropped with the body, because the idempotency key and the
  // signature are valid only for the original request.
  return {
    ...request,
    method: 'GET',
    callerHeaders: Object.fromEntries(kept),
    ownHeaders: {},
    body: undefined,
  }
}

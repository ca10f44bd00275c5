// The outcome of an API request: a value, or an error with a text that the page can show.
import { ApiError } from '../../../src/client/client.ts'

export interface ApiFault extends Pick<ApiError, 'status' | 'code' | 'detail' | 'errors' | 'retryAfterMs'> {
  /**
   * Kind of the error. unreachable: no response from the API. unavailable: status 429 or 5xx, so a later
   * request may succeed. refused: any other error, which the same request would get again. aborted: the page
   * aborted the request.
   */
  kind: 'unreachable' | 'unavailable' | 'refused' | 'aborted'
}

/** A validation error of one field of the request. */
export type FieldFault = ApiFault['errors'][number]

export type ApiResponse<T> = { ok: true; value: T } | { ok: false; fault: ApiFault }

/** Awaits a call of the API client. Returns its value, or its `ApiError` as `fault`; throws other errors. */
export async function responseOf<T>(call: Promise<T>): Promise<ApiResponse<T>> {
  try {
    return { ok: true, value: await call }
  } catch (error) {
    if (error instanceof ApiError) return { ok: false, fault: faultOf(error) }
    throw error
  }
}

/** The error result of a request that was never sent, because its AbortSignal was already aborted. */
export const ABORTED: ApiFault = faultOf(new ApiError(0, 'aborted', ''))

function faultOf(error: ApiError): ApiFault {
  const { status, code, detail, errors, retryAfterMs } = error
  return { kind: kindOf(error), status, code, detail, errors, retryAfterMs }
}

function kindOf({ status, code }: ApiError): ApiFault['kind'] {
  if (code === 'aborted' || code === 'unreachable') return code
  return status >= 500 || status === 429 ? 'unavailable' : 'refused'
}

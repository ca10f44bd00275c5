// How a request ended: with a value, or with a fault in words that a person can act on.
import { ApiError } from '../../../src/client/client.ts'

export interface ApiFault extends Pick<ApiError, 'status' | 'code' | 'detail' | 'errors' | 'retryAfterMs'> {
  /**
   * unreachable: no answer from the API at all. unavailable: an answer that may be another one later.
   * refused: an answer that stays the same. aborted: we stopped asking.
   */
  kind: 'unreachable' | 'unavailable' | 'refused' | 'aborted'
}

/** One thing that is wrong in what was sent. */
export type FieldFault = ApiFault['errors'][number]

export type Answer<T> = { ok: true; value: T } | { ok: false; fault: ApiFault }

export async function answerOf<T>(asked: Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await asked }
  } catch (error) {
    if (error instanceof ApiError) return { ok: false, fault: faultOf(error) }
    throw error
  }
}

/** Of what was not even asked. */
export const ABORTED: ApiFault = faultOf(new ApiError(0, 'aborted', ''))

function faultOf(error: ApiError): ApiFault {
  const { status, code, detail, errors, retryAfterMs } = error
  return { kind: kindOf(error), status, code, detail, errors, retryAfterMs }
}

function kindOf({ status, code }: ApiError): ApiFault['kind'] {
  if (code === 'aborted' || code === 'unreachable') return code
  return status >= 500 || status === 429 ? 'unavailable' : 'refused'
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

// Submits a task, and repeats the request until the API accepts or rejects it.
import { createIdempotencyKey } from '../../../src/client/client.ts'
import type { Access } from '../api/access.ts'
import type { Task } from '../api/api-client.ts'
import { ABORTED, type ApiFault, type ApiResponse } from '../api/api-response.ts'
import type { Connection } from '../api/connection.ts'
import { createPause } from '../api/pauses.ts'

export type SubmittedTask = Omit<Task, 'attempts' | 'waits_for'>

/**
 * Why a submission waits. unavailable: the API is known to be unavailable. unconfirmed: a request got no
 * response, or Postgres did not confirm it, so the task may exist. limited: the API responded with 429 (rate
 * limit).
 */
export type WaitReason = 'unavailable' | 'unconfirmed' | 'limited'

export type SubmissionPhase = 'editing' | 'sending' | WaitReason

/**
 * Submits a task. Resolves with the response when the API has accepted or rejected the task, or with
 * `ABORTED`. Until then the request is repeated with the same idempotency key: if a request succeeded but its
 * response was lost, the next response contains that task.
 * @param send sends one request with the given idempotency key
 * @param onWait called when the submission has to wait
 * @param signal AbortSignal that ends a waiting submission
 */
export async function sendTask(
  { connection, access }: { connection: Connection; access: Access },
  send: (idempotencyKey: string) => Promise<ApiResponse<SubmittedTask>>,
  onWait: (reason: WaitReason) => void,
  signal: AbortSignal,
): Promise<ApiResponse<SubmittedTask>> {
  const idempotencyKey = createIdempotencyKey()
  let reason: WaitReason = 'unavailable'
  // During an outage, the page checks periodically whether the API is available again. A new submission
  // starts the next check immediately; if that check fails, the submission waits until a later one succeeds.
  connection.tryNow()
  for (;;) {
    if (!connection.state.value.isUp) {
      onWait(reason)
      await connection.untilUp(signal)
    }
    if (signal.aborted) return { ok: false, fault: ABORTED }
    const response = await send(idempotencyKey)
    if (response.ok) return response
    const { fault } = response
    if (fault.status === 401) {
      if (!(await access.untilKeyEntered())) return response
    } else if (fault.code === 'idempotency_key_in_flight') {
      await createPause().start(fault.retryAfterMs)
    } else if (fault.status === 429) {
      onWait('limited')
      await pauseOr(signal, fault.retryAfterMs)
    } else if (!isRepeatable(fault)) return response
    if (fault.kind === 'unreachable' || fault.code === 'outcome_unknown') reason = 'unconfirmed'
  }
}

function isRepeatable({ kind, status, code }: ApiFault): boolean {
  return kind === 'unreachable' || status === 503 || code === 'outcome_unknown'
}

async function pauseOr(signal: AbortSignal, ms: number): Promise<void> {
  const pause = createPause()
  signal.addEventListener('abort', pause.end)
  await pause.start(Math.max(ms, MIN_PAUSE_MS))
  signal.removeEventListener('abort', pause.end)
}

// Minimum pause after a 429. Without Retry-After, the request would otherwise be repeated immediately.
const MIN_PAUSE_MS = 1_000

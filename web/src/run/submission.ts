// Sends a task to the API, and keeps it back while the API is known to be away.
import { createIdempotencyKey } from '../../../src/client/client.ts'
import type { Access } from '../api/access.ts'
import { ABORTED, type Answer, type ApiFault } from '../api/api-answer.ts'
import type { Task } from '../api/api-client.ts'
import type { Connection } from '../api/connection.ts'
import { createPause } from '../api/pauses.ts'

export type SubmittedTask = Omit<Task, 'attempts'>

/** Why a task waits: the API is known to be away, did not answer and may have taken it, or takes no more for now. */
export type HeldReason = 'away' | 'unanswered' | 'limited'

/**
 * Resolves when the API has taken the task or refused it. Until then it is sent again by itself, always under the same
 * idempotency key: an API that had taken it without our hearing of it answers with that task.
 * @param send hands it to the API under an idempotency key
 * @param onHeld called when the task has to wait for the API
 * @param signal aborts when the person does not want to send it any more
 */
export async function sendTask(
  { connection, access }: { connection: Connection; access: Access },
  send: (idempotencyKey: string) => Promise<Answer<SubmittedTask>>,
  onHeld: (reason: HeldReason) => void,
  signal: AbortSignal,
): Promise<Answer<SubmittedTask>> {
  const idempotencyKey = createIdempotencyKey()
  let reason: HeldReason = 'away'
  // Somebody who submits wants to know now; what is sent again by itself keeps to the pauses.
  connection.tryNow()
  for (;;) {
    if (!connection.state.get().isUp) {
      onHeld(reason)
      await connection.untilUp(signal)
    }
    if (signal.aborted) return { ok: false, fault: ABORTED }
    const answer = await send(idempotencyKey)
    if (answer.ok) return answer
    const { fault } = answer
    if (fault.status === 401) {
      if (!(await access.untilGiven())) return answer
    } else if (fault.code === 'idempotency_key_in_flight') {
      await createPause().start(fault.retryAfterMs)
    } else if (fault.status === 429) {
      onHeld('limited')
      await pauseOr(signal, fault.retryAfterMs)
    } else if (!isToBeSentAgain(fault)) return answer
    if (fault.kind === 'unreachable') reason = 'unanswered'
  }
}

function isToBeSentAgain({ kind, status }: ApiFault): boolean {
  return kind === 'unreachable' || status === 503
}

async function pauseOr(signal: AbortSignal, ms: number): Promise<void> {
  const pause = createPause()
  signal.addEventListener('abort', pause.end)
  await pause.start(Math.max(ms, LEAST_PAUSE_MS))
  signal.removeEventListener('abort', pause.end)
}

// An answer that says no time must not be asked for again at once.
const LEAST_PAUSE_MS = 1_000

// Sends a task to the API, and keeps it back while the API is known to be away.
import { ABORTED, type Answer, type ApiFault } from './api-answer.ts'
import type { ApiClient, Json } from './api-client.ts'
import type { Connection } from './connection.ts'

type SubmittedTask = Awaited<ReturnType<ApiClient['submit']>> & { ok: true }

/**
 * Resolves when the API has taken the task or refused it. An answer that says "not now" means that nothing was
 * accepted, so the task is sent again by itself; no answer at all may mean that it was, so that is left to the person.
 * @param onHeld called when the task has to wait for the API
 * @param signal aborts when the person does not want to send it any more
 */
export async function sendTask(
  { api, connection }: { api: ApiClient; connection: Connection },
  task: { name: string; input: Json },
  onHeld: () => void,
  signal: AbortSignal,
): Promise<Answer<SubmittedTask['value']>> {
  // Somebody who submits wants to know now; what is sent again by itself keeps to the pauses.
  connection.tryNow()
  for (;;) {
    if (!connection.state.get().isUp) {
      onHeld()
      await connection.untilUp(signal)
    }
    if (signal.aborted) return { ok: false, fault: ABORTED }
    const answer = await api.submit(task.name, task.input)
    if (answer.ok || !isNotAccepted(answer.fault)) return answer
  }
}

function isNotAccepted({ kind, status }: ApiFault): boolean {
  return kind === 'unavailable' && (status === 503 || status === 429)
}

// Passes the crashed attempts that a supervisor has put back to a worker process, which calls the hooks of the
// project for them. The supervisor itself does not load the project.
import { pause } from '../base/loop.ts'
import type { ManagedProcess } from './managed-process.ts'

/** Notice from a supervisor to a worker process. Its value is a list of attempts. */
export const CRASHED = 'crashed attempts'

// How long a worker process may take to be ready again. After that the notice is dropped.
const TRIES = 240
const PAUSE_MS = 500

/** Sends the attempts to a worker process that is ready, or to the next one that becomes ready. */
export async function passOnCrashes(
  processes: () => readonly ManagedProcess[],
  attempts: readonly unknown[],
): Promise<void> {
  if (attempts.length === 0) return
  for (let tries = 0; tries < TRIES; tries++) {
    const worker = processes().find(({ workerId, isReady }) => workerId !== undefined && isReady)
    if (worker) return worker.notify(CRASHED, attempts)
    await pause(PAUSE_MS)
  }
}

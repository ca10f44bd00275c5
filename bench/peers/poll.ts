// Waits for the end of a job by polling: pg-boss and graphile-worker have no event that another process
// receives.
import { setTimeout as pause } from 'node:timers/promises'

/** Reads every 2 ms until the job has ended, or for `waitMs`. @returns the last value */
export async function pollUntilEnded<T>(
  read: () => Promise<T>,
  hasEnded: (value: T) => boolean,
  waitMs: number,
): Promise<T> {
  const deadline = performance.now() + waitMs
  for (;;) {
    const value = await read()
    if (hasEnded(value) || performance.now() >= deadline) return value
    await pause(2)
  }
}

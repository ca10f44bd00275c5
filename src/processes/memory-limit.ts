// Replaces processes that use more memory than their limit, one at a time.
import { startLoop } from '../base/loop.ts'
import type { ProcessLog } from './process-log.ts'
import type { Slot } from './slot.ts'

export interface MemoryLimitDependencies {
  places: readonly { role: { maxMemoryBytes?: number }; slots: Slot[] }[]
  log: ProcessLog
  replace: (slot: Slot) => Promise<boolean>
  /** Pause between two checks, in milliseconds. */
  intervalMs?: number
  /** Age below which a process is not replaced, in milliseconds. */
  youngMs?: number
}

// A process grows by tens of MiB per second at most, unless its tasks load large data at once.
const INTERVAL_MS = 5_000
// A process that needs more than its limit right after its start would be replaced without end.
const YOUNG_MS = 60_000
const ANSWER_LIMIT_MS = 1_000
const MIB = 1024 * 1024

/** Question that a supervisor sends to a process. The answer is its resident memory in bytes. */
export const MEMORY = 'memory'

/** Starts the checks. Without a limit nothing runs. */
export function watchMemory(dependencies: MemoryLimitDependencies): { stop(): void } {
  const { places, log, replace, intervalMs = INTERVAL_MS, youngMs = YOUNG_MS } = dependencies
  const limited = places.flatMap(({ role: { maxMemoryBytes }, slots }) =>
    maxMemoryBytes === undefined ? [] : slots.map((slot) => ({ slot, maxBytes: maxMemoryBytes })),
  )
  if (limited.length === 0) return { stop() {} }
  const reported = new WeakSet<object>()
  const loop = startLoop({
    intervalMs,
    async body(stopping) {
      for (const { slot, maxBytes } of limited) if (!stopping.aborted) await check(slot, maxBytes)
    },
    onError: (error) =>
      log.error({ error: String(error) }, 'the memory of the processes could not be checked'),
  })
  return { stop: () => void loop.stop() }

  async function check(slot: Slot, maxBytes: number): Promise<void> {
    const process = slot.current
    if (!process?.isReady) return
    const bytes = await process.ask(MEMORY, ANSWER_LIMIT_MS)
    // A process that computes does not answer. It is checked again in the next round.
    if (typeof bytes !== 'number' || bytes <= maxBytes) return
    const fields = { process: slot.name, pid: process.pid, mb: toMiB(bytes), max_mb: toMiB(maxBytes) }
    if (performance.now() - process.startedMs >= youngMs) {
      log.warn(fields, 'a process uses more memory than WORKER_MAX_MEMORY_MB and is replaced')
      await replace(slot)
    } else if (!reported.has(process)) {
      reported.add(process)
      const seconds = youngMs / 1_000
      log.error(
        fields,
        `WORKER_MAX_MEMORY_MB is too low: a process used more within ${seconds} s of its start, and is not replaced yet`,
      )
    }
  }
}

const toMiB = (bytes: number) => Math.round(bytes / MIB)

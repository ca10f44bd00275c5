// Enforces the memory limit of an attempt on its isolated process. The limit is for the process alone,
// without the processes that task code starts. On systems without /proc there is no limit.
import { readFileSync } from 'node:fs'
import type { IsolatedProcess } from './isolated-process.ts'

// How often the memory of the processes that run attempts is read. Native code can allocate some hundred MB
// in this time.
const INTERVAL_MS = 100
// Size of a page of memory on the processors on which Node runs in production (x86-64, and arm64 as on AWS).
const PAGE_BYTES = 4_096
const MIB = 1_024 * 1_024

export interface MemoryLimit {
  /** Memory of the process, in MiB, when it was killed because of its limit; undefined if it was not. */
  readonly exceededMb: number | undefined
  stop(): void
}

/** Kills the process when its resident memory exceeds the limit, until `stop` is called. */
export function limitMemory({ pid, kill }: IsolatedProcess, memoryMb: number): MemoryLimit {
  let exceededMb: number | undefined
  const timer = setInterval(() => {
    const usedMb = memoryOf(pid)
    if (usedMb <= memoryMb || exceededMb !== undefined) return
    exceededMb = usedMb
    kill()
  }, INTERVAL_MS)
  return {
    get exceededMb() {
      return exceededMb
    },
    stop: () => clearInterval(timer),
  }
}

/** Returns the resident memory of a process in MiB; 0 if it cannot be read. */
export function memoryOf(pid: number | undefined): number {
  try {
    const [, pages = 0] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ').map(Number)
    return Math.round((pages * PAGE_BYTES) / MIB)
  } catch {
    return 0
  }
}

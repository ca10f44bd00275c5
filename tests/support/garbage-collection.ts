// Garbage collections on request. V8 frequently collects only the young generation. Objects in the old generation
// stay until a full collection.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc: (options?: { type: 'minor' }) => void = runInNewContext('gc')

/** Collects the young generation twice: objects that survive two collections move to the old generation. */
export function collectYoung(): void {
  gc({ type: 'minor' })
  gc({ type: 'minor' })
}

/** Collects all generations. */
export function collectAll(): void {
  gc()
}

/** Returns the memory that array buffers hold, in MiB. */
export function heldMiB(): number {
  return process.memoryUsage().arrayBuffers / MIB
}

export const MIB = 1_024 * 1_024

// Collects V8's young generation only, as it is done all the time: what the whole heap would have to be collected for stays.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const gc: (options: { type: 'minor' }) => void = runInNewContext('gc')

/** Twice: what lives through both is old from then on. */
export function collectYoung(): void {
  gc({ type: 'minor' })
  gc({ type: 'minor' })
}

/** Bytes of buffers, in MiB. */
export function heldMiB(): number {
  return process.memoryUsage().arrayBuffers / MIB
}

export const MIB = 1_024 * 1_024

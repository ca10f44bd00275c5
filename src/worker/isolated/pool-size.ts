// Decides how many isolated processes a worker has.
import { DEFAULT_ISOLATION, type TaskDefinition } from '../../definitions/define.ts'

export interface PoolSizeOptions {
  /** Value of the setting ISOLATED_PROCESSES; undefined if it is not set. */
  requested?: number
  /** Number of worker processes that share the processor cores and the memory. */
  workers: number
  cores: number
  /** Memory limit of the container in bytes; 0 or a very large number if there is none. */
  memoryLimit: number
  /** The definitions of the queues that the worker serves. */
  definitions: readonly TaskDefinition[]
}

const MIB = 1_024 * 1_024
// Memory that a worker process itself may use, in MiB: some 150 at rest, more under load.
const WORKER_MB = 256

/**
 * Returns the number of isolated processes of one worker process. The default is one per core, or fewer if
 * the memory limit does not allow more.
 * @throws Error if the requested processes, or a single one, do not fit into the memory limit
 */
export function poolSizeOf({ requested, workers, cores, memoryLimit, definitions }: PoolSizeOptions): number {
  const limits = definitions.flatMap(({ isolate }) => isolate ?? [])
  const memoryMb = Math.max(0, ...limits.map(({ memoryMb }) => memoryMb)) || DEFAULT_ISOLATION.memoryMb
  const wanted = Math.max(1, Math.ceil((requested ?? cores) / workers))
  const isLimited = memoryLimit > 0 && memoryLimit < Number.MAX_SAFE_INTEGER
  const availableMb = isLimited ? memoryLimit / MIB / workers - WORKER_MB : Number.POSITIVE_INFINITY
  const fitting = Math.floor(availableMb / memoryMb)
  if (fitting >= wanted) return wanted
  if (requested === undefined && fitting >= 1) return fitting
  // Without such definitions, isolated processes only run tasks whose worker has crashed.
  if (requested === undefined && limits.length === 0) return 1
  const needed = (requested === undefined ? 1 : wanted) * workers
  const owner = definitions.find(({ isolate }) => isolate?.memoryMb === memoryMb)
  const source = owner ? `isolate.memoryMb of ${owner.name}` : 'the default, for tasks of crashed workers'
  throw new Error(
    `The memory limit of ${Math.floor(memoryLimit / MIB)} MB is too small: ${needed} isolated process${needed > 1 ? 'es' : ''} of ${memoryMb} MB (${source}) ` +
      `and ${workers} worker process${workers > 1 ? 'es' : ''} of ${WORKER_MB} MB need more. Raise the memory limit of the container, or reduce ISOLATED_PROCESSES, WORKER_PROCESSES or isolate.memoryMb`,
  )
}

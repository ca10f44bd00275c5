// The options of a worker.
import type { TaskDefinition } from '../definitions/define.ts'
import type { Hooks } from '../definitions/hooks.ts'
import type { Services } from '../definitions/services.ts'
import type { RetentionPolicy } from '../store/retention-policy.ts'

export interface WorkerOptions extends Partial<Intervals> {
  /**
   * Id of the worker, a UUID. Its supervisor chooses it, to find the tasks of a crashed worker. Default:
   * random.
   */
  id?: string
  queues: string[]
  /** The services of the project; none by default. */
  services?: Services
  /** The hooks of the project; none by default. */
  hooks?: Hooks
  concurrency: number
  version: string
  /** After this many milliseconds without a heartbeat, a worker is missing, and others recover its tasks. */
  missingAfterMs: number
  /** `role` of this process in its log lines; `worker` by default. */
  role?: string
  /**
   * Process id of the supervisor. If the supervisor has ended, this process is killed. Without this id, the
   * process is never killed because of a blocked event loop, because nothing would start it again.
   */
  parentPid?: number
  /** How long a task is kept after its end, in milliseconds. Undefined keeps it forever. */
  keptMs?: number
  /** How long a successful task is kept, in milliseconds, if that is shorter than `keptMs`. */
  successMs?: number
  /** How long idempotency keys are kept, in milliseconds; a day by default. */
  keysKeptMs?: number
  /**
   * Whether no worker with other code runs. Then the schedules of the code of this worker apply at once.
   * Otherwise those of the newest code apply that still runs (`store/code-schedules.ts`).
   */
  isOnlyVersion?: boolean
  /**
   * Processes that run isolated tasks: the module that they execute, which calls `serveAttempts`, their maximum
   * number, and how long starts are repeated that cannot load the code (a minute by default). Without them this
   * worker runs no isolated tasks.
   */
  isolated?: { script: string; processes: number; loadRetryMs?: number }
}

/** Default of `keysKeptMs`. */
export const KEYS_KEPT_MS = 86_400_000

// Default intervals and time limits of the parts of a worker, in milliseconds. Tests pass shorter ones.
export const DEFAULT_INTERVALS = {
  heartbeatMs: 1_000,
  dispatchMs: 1_000,
  // Shorter than `lostAfterMs`, so that a lost delivery is found within 10 s.
  reconcileMs: 4_000,
  callbackMs: 1_000,
  scheduleMs: 1_000,
  logMs: 500,
  pruneMs: 60_000,
  // A waiting task has lost its delivery if it was enqueued this long before the oldest delivery in Redis.
  lostAfterMs: 5_000,
  // How long a claim is repeated while Postgres does not answer. Then its references return to the queue,
  // because other workers may reach Postgres.
  claimLimitMs: 10_000,
  // The consumer of a queue is stuck, and is replaced, if it fetches nothing for this long although a
  // delivery waits in Redis and the worker has a free slot.
  stuckMs: 30_000,
  // How long a handler may run after its abort: about the usual timeout of a request to another service. Then
  // the attempt ends without the handler.
  abortGraceMs: 30_000,
  // How long an attempt may block the event loop beyond its timeout: a handler that checks its AbortSignal
  // every few seconds can still return. Then the process is killed.
  blockGraceMs: 5_000,
}

type Intervals = typeof DEFAULT_INTERVALS

/**
 * Checks that `missingAfterMs` is at least three heartbeat intervals, so that a worker can lose two
 * heartbeats before it counts as missing. @throws Error if it is shorter
 */
export function checkIntervals(missingAfterMs: number, { heartbeatMs }: Intervals) {
  if (missingAfterMs < 3 * heartbeatMs)
    throw new Error(`missingAfterMs must be at least three heartbeats (${3 * heartbeatMs})`)
}

const HOUR_MS = 3_600_000

/** Joins the times of the configuration with those of the definitions. */
export function retentionPolicyOf(
  { keptMs, successMs }: Pick<WorkerOptions, 'keptMs' | 'successMs'>,
  definitions: readonly Pick<TaskDefinition, 'name' | 'retention'>[],
): RetentionPolicy {
  const shortened = definitions.flatMap(({ name, retention }) =>
    retention ? [[name, retention.successHours * HOUR_MS] as const] : [],
  )
  return { keptMs, successMs, successMsByName: new Map(shortened) }
}

// Puts back the tasks of a worker process that has ended. After a crash their next attempts run in isolated
// processes, so that only the task that caused the crash fails. The crash uses no retry, until a task has had
// `MAX_CRASHES` of them.
import { pause } from '../base/loop.ts'
import { DEFAULT_BACKOFF } from '../definitions/define.ts'
import type { HookError } from '../definitions/hooks.ts'
import { decide, type Outcome, type TaskStatus } from '../definitions/task-status.ts'
import { openDatabase } from '../store/database.ts'
import type { Finish } from '../store/finish.ts'
import { createStores } from '../store/stores.ts'
import type { CrashedTask } from '../store/worker-store.ts'

// Number of tasks per statement. A worker rarely runs more. The statements that write so many tasks and their
// errors take less than 50 ms each.
const BATCH = 250
// From this crash of a task on, each one counts as a failure of the task. Otherwise a task that ends its
// worker even from an isolated process would run forever. Isolated tasks that ran in the same worker get the
// failure too.
const MAX_CRASHES = 5
// Postgres can still execute a statement, such as a claim, for about a second after its client has ended
// (`client_connection_check_interval`).
const LATE_CLAIM_MS = 2_000

/**
 * Releases all tasks that a worker ran: STARTED becomes PENDING. The process of the worker must have ended. A
 * call that has failed can be repeated.
 * @param isCrash whether one of the tasks may have ended the process
 * @returns the tasks that were released or, from crash `MAX_CRASHES` of a task on, ended or retried
 * @throws AppError `unavailable` if Postgres cannot be reached
 */
export async function recoverTasksOf({
  databaseUrl,
  workerId,
  isCrash,
}: {
  databaseUrl: string
  workerId: string
  isCrash: boolean
}): Promise<RecoveredTask[]> {
  const database = await openDatabase(databaseUrl, { poolSize: 1 })
  try {
    const { taskStore, workerStore } = createStores(database)
    const recovered = await releaseTasks()
    // Postgres may execute the last statements of the process after its end, also a claim.
    await pause(LATE_CLAIM_MS)
    recovered.push(...(await releaseTasks()))
    // Without its row, the worker does not count as missing.
    await workerStore.remove(workerId)
    return recovered

    async function releaseTasks() {
      const released: RecoveredTask[] = []
      const ids = await workerStore.runningOf(workerId)
      for (let from = 0; from < ids.length; from += BATCH) {
        const batch = ids.slice(from, from + BATCH)
        const tasks = await workerStore.lockTasksOf(workerId, { ids: batch, isCrash })
        const ends = tasks.map((task) => finishOf(task, isCrash))
        const statuses = ends.length > 0 ? await taskStore.finishMany(ends) : []
        // After the release: a repeated call must not count a crash twice.
        if (isCrash) await workerStore.countCrash(tasks)
        for (const [index, { id: taskId, name, attempt }] of tasks.entries()) {
          const status = statuses[index] ?? null
          const error = isCrash ? (ends[index]?.decision.error ?? crashErrorOf(attempt)) : undefined
          released.push({ taskId, name, attempt, status, error })
        }
      }
      return released
    }
  } finally {
    await database.close()
  }
}

/** A task of an ended worker, and how its attempt was ended. */
export interface RecoveredTask {
  taskId: string
  name: string
  attempt: number
  /** The new status; null if the attempt had ended meanwhile. */
  status: TaskStatus | null
  /** Why the attempt has failed; undefined if the worker has not crashed. */
  error?: HookError
}

function crashErrorOf(attempt: number, more = ''): HookError {
  return { name: 'WorkerCrashed', message: `The worker process crashed during attempt ${attempt}${more}` }
}

function finishOf(task: CrashedTask, isCrash: boolean): Finish {
  const { id, attempt, workerId } = task
  const decision = decide(
    { ...task, backoff: DEFAULT_BACKOFF },
    isCrash ? outcomeOfCrash(task) : RELEASED,
    Math.random(),
  )
  // The task may be held.
  return { id, attempt, workerId, decision, isHeld: true }
}

const RELEASED: Outcome = { kind: 'released' }

function outcomeOfCrash({ attempt, crashes: earlier }: CrashedTask): Outcome {
  if (earlier + 1 < MAX_CRASHES) return RELEASED
  const error = crashErrorOf(attempt, `, as it did during ${earlier} earlier attempts of this task`)
  return { kind: 'failed', error: { ...error, retryable: true } }
}

// Retries ended tasks of definitions with `unique`. A task that would be met by submissions again must be the
// only one of its key.

import type { TaskStatus } from '../../definitions/task-status.ts'
import { isMet, type Unique } from '../../definitions/unique.ts'
import { type BatchStatement, IS_GIVEN, uuids } from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { RETRY, type RetriedTask } from '../task-store.ts'
import { type KeyClaim, keyTextOf, type LockedKey, lockKeys, takeKeys } from './key-locks.ts'

/** An ended task that would be met again. */
export interface RetryClaim extends KeyClaim {
  unique: { key: string; until: Unique['until'] }
}

export interface UniqueRetry {
  retried: RetriedTask[]
  /** For each task that was not retried because of another one of its key: the id of that one. */
  blockedBy: Map<string, string>
}

/**
 * Retries tasks like `retryMany`, except those whose key has another task that submissions meet. Of several
 * tasks of one key, the first is retried.
 */
export function retryUnique(database: Database, claims: readonly RetryClaim[]): Promise<UniqueRetry> {
  return database.transaction(async (transaction) => {
    const groups = [...Map.groupBy(claims, keyTextOf).values()] as [RetryClaim, ...RetryClaim[]][]
    const keys = await lockKeys(
      transaction,
      groups.map(([first]) => first),
    )
    const holders = await transaction.run<TaskState>(STATES, {
      id: uuids([...keys.values()].map(({ taskId }) => taskId)),
    })
    const statesById = new Map(holders.map((state) => [state.id, state]))
    const blockedBy = new Map<string, string>()
    const allowed = groups.flatMap((group) => {
      const [first] = group
      const { taskId, firstAtMs, nowMs } = keys.get(keyTextOf(first)) as LockedKey
      const state = statesById.get(taskId)
      const isTaken = state !== undefined && isMet(first.unique.until, { ...state, firstAtMs }, nowMs)
      const ownerId = isTaken ? taskId : first.id
      for (const { id } of group) if (id !== ownerId) blockedBy.set(id, ownerId)
      return group.filter(({ id }) => id === ownerId)
    })
    await takeKeys(
      transaction,
      allowed.filter((claim) => keys.get(keyTextOf(claim))?.taskId !== claim.id),
    )
    const retried = await transaction.run<RetriedTask>(RETRY, { id: uuids(allowed.map(({ id }) => id)) })
    return { retried, blockedBy }
  })
}

export interface TaskState {
  id: string
  name: string
  status: TaskStatus
  attempt: number
}

/** Reads the states of tasks by id. */
export const STATES: BatchStatement = {
  name: 'states_of_unique_tasks',
  build: (rows) => sql`
    select tasks.id, tasks.name, tasks.status, tasks.attempt from ${rows} join tasks on ${IS_GIVEN}`,
}

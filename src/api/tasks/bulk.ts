// Cancels, retries or replays many tasks. With a filter, one request handles a limited number of tasks; the
// client continues with the `next_cursor` of the response.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { TaskStatus } from '../../definitions/task-status.ts'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { idempotencyOf } from './idempotency.ts'
import type { Masking } from './masking.ts'
import { correlationOf } from './submit-options.ts'
import { type bulkRequest, filterOf } from './task-filters.ts'
import type { bulkResponse } from './task-schemas.ts'

type BulkRequest = z.output<typeof bulkRequest>
type Action = BulkRequest['action']

// Maximum number of tasks that one request with a filter handles. Cancel and retry change 1,000 rows in some
// tens of milliseconds. The limit for replays is lower, because they read and insert inputs, which may be
// large.
const MAX_TASKS_PER_REQUEST: Record<Action, number> = { cancel: 1_000, retry: 1_000, replay: 100 }

// Statuses in which an action has an effect. Tasks that match the filter in another status are skipped.
const APPLIES_TO: Record<Action, (status: TaskStatus) => boolean> = {
  cancel: (status) => status === 'PENDING' || status === 'STARTED' || status === 'RETRY',
  retry: (status) => status === 'FAILURE' || status === 'CANCELLED',
  replay: () => true,
}

/**
 * Applies the action to the tasks with the given ids, or to the next part of the tasks that match the filter,
 * from the newest (or the cursor) to the oldest. Later requests do not reach tasks that are submitted
 * meanwhile, such as the replays of this action, because these are newer than the cursor.
 * @throws AppError `invalid_header`, `idempotency_key_reused`, `idempotency_key_in_flight`, `overloaded`,
 *   `unavailable`
 */
export async function actOnMany(
  { service, taskList, masking }: Pick<ApiDependencies, 'service' | 'taskList'> & { masking: Masking },
  c: Context<ApiEnv>,
  request: BulkRequest,
): Promise<z.infer<typeof bulkResponse>> {
  const { action, ids, filter = {}, cursor } = request
  const idempotency = idempotencyOf(c, 'bulk', request)
  if (ids) {
    // Removes duplicates. UUIDs are case-insensitive, so ids in upper and lower case can name the same task.
    const taskIds = [...new Set(ids.map((id) => id.toLowerCase()))]
    const changed = await act(taskIds)
    return { changed, skipped: taskIds.length - changed, next_cursor: null }
  }
  const page = { before: cursor, limit: MAX_TASKS_PER_REQUEST[action] }
  const { rows, next } = await taskList.listIds(masking.filter(c, filterOf(filter)), page)
  const changed = await act(rows.filter(({ status }) => APPLIES_TO[action](status)).map(({ id }) => id))
  return { changed, skipped: rows.length - changed, next_cursor: next }

  async function act(taskIds: string[]): Promise<number> {
    if (taskIds.length === 0) return 0
    switch (action) {
      case 'cancel': {
        const { cancelled, requested } = await service.cancelMany(taskIds)
        return cancelled.length + requested.length
      }
      case 'retry':
        return (await service.retryMany(taskIds)).length
      case 'replay':
        return service.replayMany(taskIds, (id) => ({ ...correlationOf(c), idempotency: idempotency?.(id) }))
    }
  }
}

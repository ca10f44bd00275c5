// One action on many tasks, a bounded part of them per request: whoever asks goes on from the cursor of the answer.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { TaskStatus } from '../../definitions/task-status.ts'
import type { ApiDependencies } from '../dependencies.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { idempotencyOf } from './idempotency.ts'
import { correlationOf } from './submit-options.ts'
import { type bulkRequest, filterOf } from './task-filters.ts'
import type { bulkResponse } from './task-schemas.ts'

type BulkRequest = z.output<typeof bulkRequest>
type Action = BulkRequest['action']

// What one statement changes in some tens of milliseconds; a replay carries an input, which may be large.
const MOST_AT_ONCE: Record<Action, number> = { cancel: 1_000, retry: 1_000, replay: 100 }

const IS_FOR: Record<Action, (status: TaskStatus) => boolean> = {
  cancel: (status) => status === 'PENDING' || status === 'STARTED' || status === 'RETRY',
  retry: (status) => status === 'FAILURE' || status === 'CANCELLED',
  replay: () => true,
}

/**
 * By a filter it goes through the list from the cursor, or its new end, to the old one, and never back: what is submitted
 * meanwhile is newer, replays above all, and is not come upon.
 * @throws AppError `invalid_header`, `idempotency_key_reused`, `idempotency_key_in_flight`, `overloaded`, `unavailable`
 */
export async function actOnMany(
  { service, taskList }: Pick<ApiDependencies, 'service' | 'taskList'>,
  c: Context<ApiEnv>,
  request: BulkRequest,
): Promise<z.infer<typeof bulkResponse>> {
  const { action, ids, filter = {}, cursor } = request
  const idempotency = idempotencyOf(c, 'bulk', request)
  if (ids) {
    // Letters of either case name the same task.
    const meant = [...new Set(ids.map((id) => id.toLowerCase()))]
    const changed = await act(meant)
    return { changed, skipped: meant.length - changed, next_cursor: null }
  }
  const place = { before: cursor, limit: MOST_AT_ONCE[action] }
  const { rows, next } = await taskList.listIds(filterOf(filter), place)
  const changed = await act(rows.filter(({ status }) => IS_FOR[action](status)).map(({ id }) => id))
  return { changed, skipped: rows.length - changed, next_cursor: next }

  async function act(meant: string[]): Promise<number> {
    if (meant.length === 0) return 0
    switch (action) {
      case 'cancel': {
        const { cancelled, requested } = await service.cancelMany(meant)
        return cancelled.length + requested.length
      }
      case 'retry':
        return (await service.retryMany(meant)).length
      case 'replay':
        return service.replayMany(meant, (id) => ({ ...correlationOf(c), idempotency: idempotency?.(id) }))
    }
  }
}

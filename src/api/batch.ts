// Many submissions in one request: each is accepted or refused on its own.
import type { Context } from 'hono'
import type { z } from 'zod'
import { AppError, HTTP_STATUS, isAppError } from '../errors.ts'
import type { AcceptedTask } from '../insert-once.ts'
import { faultsOf } from '../task-input.ts'
import type { ApiDependencies } from './dependencies.ts'
import { describeProblem } from './problem.ts'
import type { ApiEnv } from './request-context.ts'
import { pollToken } from './submission-answer.ts'
import { chosenOptions, originOf } from './submit-options.ts'
import { batchItem, type batchSubmission } from './task-requests.ts'
import type { batchAnswer } from './view-schemas.ts'

export type BatchAnswer = z.infer<typeof batchAnswer>

/** @throws AppError when nothing could be accepted for a reason that passes, so that the whole may be sent again */
export async function submitBatch(
  dependencies: Pick<ApiDependencies, 'service' | 'events'>,
  c: Context<ApiEnv>,
  batch: z.output<typeof batchSubmission>,
): Promise<BatchAnswer> {
  const { service, events } = dependencies
  // Together: they share one write.
  const outcomes = await Promise.allSettled(batch.tasks.map((item, index) => submitItem(item, index)))
  const firstProblem = outcomes.find((outcome) => outcome.status === 'rejected')?.reason
  if (outcomes.every((outcome) => outcome.status === 'rejected' && isPassing(outcome.reason)))
    throw firstProblem
  const items = outcomes.map((outcome, index) =>
    outcome.status === 'fulfilled'
      ? { index, id: outcome.value.id, ...pollToken(c, outcome.value.id) }
      : { index, problem: describeProblem(outcome.reason, c, events) },
  )
  const rejected = items.filter((item) => 'problem' in item).length
  return { accepted: items.length - rejected, rejected, items }

  async function submitItem(item: unknown, index: number): Promise<AcceptedTask> {
    const path = ['tasks', String(index)]
    const parsed = batchItem.safeParse(item)
    if (!parsed.success) {
      throw new AppError('invalid_input', `Task ${index} of the batch is not valid`, {
        faults: faultsOf(parsed.error, path),
      })
    }
    const { name, input, options } = parsed.data
    const all = { ...chosenOptions(options), ...originOf(c, 'batch', batch, index) }
    return service.submit(name, input, all, [...path, 'input'])
  }
}

function isPassing(error: unknown): boolean {
  return isAppError(error) && (HTTP_STATUS[error.code] === 503 || error.code === 'idempotency_key_in_flight')
}

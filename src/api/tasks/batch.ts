// Submits many tasks in one request (POST /v1/tasks/batch). Each task is accepted or rejected separately.
import type { Context } from 'hono'
import type { z } from 'zod'
import { AppError, HTTP_STATUS, isAppError } from '../../base/errors.ts'
import { faultsOf } from '../../base/faults.ts'
import type { AcceptedTask } from '../../service/insert-once.ts'
import type { SubmitOptions } from '../../service/submit.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { numberFaultsOf } from '../http/number-faults.ts'
import { describeProblem } from '../http/problem.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { type Idempotency, idempotencyOf } from './idempotency.ts'
import { existingMark, pollToken } from './submission-response.ts'
import { chosenOptions, correlationOf } from './submit-options.ts'
import { batchItem, type batchSubmission } from './task-requests.ts'
import type { batchResponse } from './task-schemas.ts'

export type BatchResponse = z.infer<typeof batchResponse>

type Outcome = PromiseSettledResult<AcceptedTask>

/**
 * Submits the tasks of a batch.
 * @returns the response; `isReplayed` is true if an earlier request with the same Idempotency-Key created all
 *   accepted tasks
 * @throws AppError if no task is known to be accepted: the 504 error of a task, or else a 503 error. After a
 *   503 no task was accepted, and the client can send the whole batch again. Also `invalid_header`,
 *   `invalid_input`, `idempotency_key_reused`, `idempotency_key_in_flight`
 */
export async function submitBatch(
  dependencies: Pick<ApiDependencies, 'service' | 'events'>,
  c: Context<ApiEnv>,
  batch: z.output<typeof batchSubmission>,
): Promise<{ response: BatchResponse; isReplayed: boolean }> {
  const { service, events } = dependencies
  const correlation = correlationOf(c)
  const idempotency = idempotencyOf(c, 'batch', batch)
  const outcomes = idempotency ? await submitOnce(idempotency) : await submitRest(0)
  throwBatchErrors(outcomes)
  const items = outcomes.map((outcome, index) =>
    outcome.status === 'fulfilled'
      ? { index, id: outcome.value.id, ...existingMark(outcome.value), ...pollToken(c, outcome.value.id) }
      : { index, problem: describeProblem(outcome.reason, c, events) },
  )
  const accepted = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  return {
    response: { accepted: accepted.length, rejected: items.length - accepted.length, items },
    isReplayed: accepted.length > 0 && accepted.every(({ isReplayed }) => isReplayed),
  }

  /**
   * Submits a batch with an Idempotency-Key: one task after the other until one is accepted, then the rest
   * concurrently. The row of the first accepted task stores a key for the whole batch, so a later request
   * with the same Idempotency-Key and another body is rejected before any of its tasks is accepted.
   */
  async function submitOnce(idempotency: Idempotency): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const [index] of batch.tasks.entries()) {
      const outcome = await settle(submitItem(index, idempotency('first')))
      outcomes.push(outcome)
      if (outcome.status === 'fulfilled') break
      throwBatchErrors([outcome])
    }
    return [...outcomes, ...(await submitRest(outcomes.length, idempotency))]
  }

  /** Submits the tasks from index `from` on concurrently, so that one statement inserts many of them. */
  function submitRest(from: number, idempotency?: Idempotency): Promise<Outcome[]> {
    const rest = batch.tasks
      .slice(from)
      .map((_item, offset) => submitItem(from + offset, idempotency?.(from + offset)))
    return Promise.allSettled(rest)
  }

  async function submitItem(index: number, once: SubmitOptions['idempotency']): Promise<AcceptedTask> {
    const path = ['tasks', String(index)]
    const item = batch.tasks[index]
    const parsed = batchItem.safeParse(item)
    const faults = numberFaultsOf(item, path)
    if (!parsed.success) faults.push(...faultsOf(parsed.error, path))
    if (!parsed.success || faults.length > 0) {
      throw new AppError('invalid_input', `Task ${index} of the batch is not valid`, { faults })
    }
    const { name, input, options } = parsed.data
    const submitOptions = { ...chosenOptions(options), ...correlation, idempotency: once }
    return service.submit(name, input, submitOptions, [...path, 'input'])
  }
}

/**
 * Throws errors of the whole batch: a conflict of its Idempotency-Key; or, if no task is known to be
 * accepted, a 504 or 503 of a task. A 504 has precedence, because a 503 promises that no task was accepted.
 */
function throwBatchErrors(outcomes: Outcome[]): void {
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  const keyError = reasons.find(
    (reason) =>
      isAppError(reason, 'idempotency_key_reused') || isAppError(reason, 'idempotency_key_in_flight'),
  )
  if (keyError) throw keyError
  if (reasons.length < outcomes.length) return
  const withStatus = (status: number) =>
    reasons.find((reason) => isAppError(reason) && HTTP_STATUS[reason.code] === status)
  const error = withStatus(504) ?? withStatus(503)
  if (error) throw error
}

async function settle(task: Promise<AcceptedTask>): Promise<Outcome> {
  const [outcome] = await Promise.allSettled([task])
  return outcome
}

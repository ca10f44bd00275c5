// Many submissions in one request: each is accepted or refused on its own.
import type { Context } from 'hono'
import type { z } from 'zod'
import { AppError, HTTP_STATUS, isAppError } from '../../base/errors.ts'
import { faultsOf } from '../../base/faults.ts'
import type { AcceptedTask } from '../../service/insert-once.ts'
import type { SubmitOptions } from '../../service/task-service.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { numberFaultsOf } from '../http/number-faults.ts'
import { describeProblem } from '../http/problem.ts'
import type { ApiEnv } from '../http/request-context.ts'
import { type Idempotency, idempotencyOf } from './idempotency.ts'
import { pollToken } from './submission-response.ts'
import { chosenOptions, correlationOf } from './submit-options.ts'
import { batchItem, type batchSubmission } from './task-requests.ts'
import type { batchResponse } from './task-schemas.ts'

export type BatchResponse = z.infer<typeof batchResponse>

type Outcome = PromiseSettledResult<AcceptedTask>

/**
 * @returns `isReplayed` where an earlier request with the same Idempotency-Key made all of these tasks
 * @throws AppError when nothing could be accepted for a reason that passes, so that the whole may be sent again;
 *   `idempotency_key_reused`, `idempotency_key_in_flight`
 */
export async function submitBatch(
  dependencies: Pick<ApiDependencies, 'service' | 'events'>,
  c: Context<ApiEnv>,
  batch: z.output<typeof batchSubmission>,
): Promise<{ answer: BatchResponse; isReplayed: boolean }> {
  const { service, events } = dependencies
  const thread = correlationOf(c)
  const idempotency = idempotencyOf(c, 'batch', batch)
  const outcomes = idempotency ? await submitOnce(idempotency) : await submitRest(0)
  throwWhatConcernsAll(outcomes)
  const items = outcomes.map((outcome, index) =>
    outcome.status === 'fulfilled'
      ? { index, id: outcome.value.id, ...pollToken(c, outcome.value.id) }
      : { index, problem: describeProblem(outcome.reason, c, events) },
  )
  const accepted = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  return {
    answer: { accepted: accepted.length, rejected: items.length - accepted.length, items },
    isReplayed: accepted.length > 0 && accepted.every(({ isReplayed }) => isReplayed),
  }

  /**
   * The first task that is accepted stands for the whole batch: it is written before all others, and whoever comes with
   * the same key and another body is refused by it, whatever the two bodies have in common.
   */
  async function submitOnce(idempotency: Idempotency): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const [index] of batch.tasks.entries()) {
      const outcome = await settled(submitItem(index, idempotency('first')))
      outcomes.push(outcome)
      if (outcome.status === 'fulfilled') break
      throwWhatConcernsAll([outcome])
    }
    return [...outcomes, ...(await submitRest(outcomes.length, idempotency))]
  }

  /** Together: they share one write. */
  function submitRest(from: number, idempotency?: Idempotency): Promise<Outcome[]> {
    const rest = batch.tasks
      .slice(from)
      .map((_item, place) => submitItem(from + place, idempotency?.(from + place)))
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
    const all = { ...chosenOptions(options), ...thread, idempotency: once }
    return service.submit(name, input, all, [...path, 'input'])
  }
}

/** The key is of the whole request; and where nothing was accepted, the best reason to send it again is the answer. */
function throwWhatConcernsAll(outcomes: Outcome[]): void {
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  const ofTheKey = reasons.find(
    (reason) =>
      isAppError(reason, 'idempotency_key_reused') || isAppError(reason, 'idempotency_key_in_flight'),
  )
  if (ofTheKey) throw ofTheKey
  const passing = reasons.find((reason) => isAppError(reason) && HTTP_STATUS[reason.code] === 503)
  if (passing && reasons.length === outcomes.length) throw passing
}

async function settled(task: Promise<AcceptedTask>): Promise<Outcome> {
  const [outcome] = await Promise.allSettled([task])
  return outcome
}

// Keeps the late end of an attempt, i.e. one that Postgres has refused or that came after the attempt had
// been given up: its result, its error and the last lines of its log.
import { pause } from '../../base/loop.ts'
import type { Decision, TaskError, TaskStatus } from '../../definitions/task-status.ts'
import type { NewLogLine } from '../../store/log-store.ts'
import type { RefusedAttempt } from '../../store/refused-ends.ts'
import type { RefusedEnd } from '../../store/schema.ts'
import type { Events } from '../../telemetry/events.ts'
import { isUnstorable } from './attempt-outcome.ts'
import type { RunningTask } from './running-tasks.ts'

// Limit of the stored result, in bytes of JSON. It is enough to see what the attempt has done. A lost attempt
// must not cost as much space as the result of the task, which can have 1 MiB.
const MAX_RESULT_BYTES = 16 * 1_024
// Limit of a stored log line in characters: at most 16,000 bytes, so that a single line keeps the limit of
// the tail of a log.
const MAX_LINE = 4_000

/**
 * Returns what is kept of an attempt whose end was refused.
 * @param decision the end that was refused. An attempt that was given up keeps nothing yet: it keeps the end
 * of its handler when it returns
 * @param thrown an error of the handler that is not in the decision
 */
export function refusedAttemptOf(
  attempt: RunningTask,
  workerId: string,
  { resultText, ...decision }: Decision,
  thrown?: TaskError,
): RefusedAttempt {
  const { task, startedMs } = attempt
  const error = thrown ?? decision.error
  const log = (attempt.log?.tail ?? []).map(logLineOf)
  const isWorthKeeping = resultText !== undefined || decision.status === 'SUCCESS' || error || log.length > 0
  const refused = { at: new Date().toISOString(), status: decision.status, ...cut(resultText), error, log }
  return {
    id: task.id,
    attempt: task.attempt,
    workerId,
    decision,
    startedAt: new Date(Date.now() - (performance.now() - startedMs)),
    refused: isWorthKeeping && !attempt.givenUp ? refused : undefined,
  }
}

function logLineOf({ at, message, fields }: NewLogLine): RefusedEnd['log'][number] {
  const text = fields === null ? message : `${message} ${fields}`
  return { at: at.toISOString(), message: text.slice(0, MAX_LINE) }
}

function cut(resultText: string | undefined): Pick<RefusedEnd, 'result' | 'isResultCut'> {
  if (resultText === undefined || Buffer.byteLength(resultText) <= MAX_RESULT_BYTES)
    return { result: resultText }
  // A character is at least one byte, so the first characters contain the first bytes. The last character can
  // be incomplete; it is decoded as U+FFFD.
  const bytes = Buffer.from(resultText.slice(0, MAX_RESULT_BYTES)).subarray(0, MAX_RESULT_BYTES)
  return { result: bytes.toString().replace(/\ufffd$/, ''), isResultCut: true }
}

// Number of times that a refused end is written, and the pause between them in milliseconds. An outage of
// Postgres is unlikely at this time, because Postgres has just refused the end.
const MAX_TRIES = 5
const RETRY_MS = 1_000

/**
 * Creates the function that keeps a refused end (`keepRefused` of the runner). If Postgres cannot be reached,
 * it gives up after a few tries, and the end is lost.
 * @param record writes refused ends, see `TaskStore.recordRefusedMany`
 */
export function createKeepRefused(
  record: (end: RefusedAttempt) => Promise<TaskStatus | null>,
  events: Events,
) {
  return async (end: RefusedAttempt): Promise<TaskStatus | null> => {
    for (let tries = 1; ; tries++) {
      try {
        return await record(end)
      } catch (error) {
        const where = 'keeping a refused end'
        if (isUnstorable(error)) events.emit('error.unexpected', { where, error, taskId: end.id })
        else events.emit('error.transient', { where, error })
        if (isUnstorable(error) || tries === MAX_TRIES) return null
        await pause(RETRY_MS)
      }
    }
  }
}

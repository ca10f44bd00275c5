// Runs one task without a server, for unit tests of tasks.
import { faultsOf } from '../base/faults.ts'
import { newId } from '../base/uuidv7.ts'
import type { TaskContext, TaskDefinition } from '../definitions/define.ts'
import type { Services } from '../definitions/services.ts'
import { resultTextOf } from '../store/result-text.ts'
import { reportedProgress } from '../worker/attempts/attempt-context.ts'
import { onlyGiven } from './given-services.ts'

export interface RunOptions {
  /** Number of the attempt; 1 by default. */
  attempt?: number
  /** Services that the task uses, or fakes of them. The use of another one throws an error that names it. */
  services?: Partial<Services>
  /** AbortSignal of the context. By default, one that never aborts. */
  signal?: AbortSignal
  /** Id of the task; a new one by default. */
  id?: string
  requestId?: string
  traceparent?: string
}

export interface TaskRun<Output> {
  result: Output
  /** All reports of progress, in order. `fraction` is from 0 to 1. */
  progress: { fraction: number; message?: string }[]
  /** All log lines, in order. */
  logs: { message: string; fields?: Record<string, unknown> }[]
}

/**
 * Runs one attempt of a task in this process, without API, worker, database and time limit. The input is parsed as
 * at a submission.
 * @returns what the task has returned, reported and logged
 * @throws what the task throws, the same object; Error if the input is not valid, if the result does not match the
 *    output schema, or if it cannot be stored
 */
export async function runTask<Input, Output, Name extends string, Given>(
  definition: TaskDefinition<Input, Output, Name, Given>,
  input: Given,
  options: RunOptions = {},
): Promise<TaskRun<Output>> {
  const { id = newId(), attempt = 1, signal = new AbortController().signal } = options
  const { services = {}, requestId, traceparent } = options
  const parsed = definition.input.safeParse(input)
  if (!parsed.success) throw invalid(definition, 'input', parsed.error)
  const progress: TaskRun<Output>['progress'] = []
  const logs: TaskRun<Output>['logs'] = []
  const context: TaskContext = {
    id,
    attempt,
    requestId,
    traceparent,
    signal,
    progress: (fraction, message) => void progress.push(reportedProgress(fraction, message)),
    log: (message, fields) => void logs.push({ message, ...(fields && { fields }) }),
    services: onlyGiven(services, definition.name),
  }
  const result = await definition.run(parsed.data, context)
  checkResult(definition, result)
  return { result, progress, logs }
}

function checkResult(definition: Pick<TaskDefinition, 'name' | 'output'>, result: unknown): void {
  const { success, error } = definition.output.safeParse(result)
  if (!success) throw invalid(definition, 'result', error)
  try {
    resultTextOf(result ?? null)
  } catch (cause) {
    throw new Error(`Task "${definition.name}": the result cannot be stored as JSON: ${String(cause)}`, {
      cause,
    })
  }
}

function invalid(
  { name }: Pick<TaskDefinition, 'name'>,
  part: 'input' | 'result',
  error: Parameters<typeof faultsOf>[0],
): Error {
  const faults = faultsOf(error, [part]).map(({ pointer, detail }) => `${pointer}: ${detail}`)
  return new Error(`Task "${name}": the ${part} is not valid: ${faults.join('; ')}`, { cause: error })
}

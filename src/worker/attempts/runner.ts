// Runs one attempt of a task: calls the handler, and decides the new status of the task from the outcome.
import { startTimeLimit } from '../../base/time-limit.ts'
import {
  DEFAULT_BACKOFF,
  DEFAULT_ISOLATION,
  type Isolation,
  type TaskContext,
  type TaskDefinition,
} from '../../definitions/define.ts'
import type { Registry } from '../../definitions/registry.ts'
import type { Services } from '../../definitions/services.ts'
import { checkStoredInput } from '../../definitions/stored-input.ts'
import { type Decision, decide, type Outcome } from '../../definitions/task-status.ts'
import type { ClaimedTask } from '../../store/claim.ts'
import type { Events } from '../../telemetry/events.ts'
import type { Watchdog } from '../watchdog/watchdog.ts'
import { announced } from './announced-task.ts'
import { createAttemptContext } from './attempt-context.ts'
import type { AttemptEnd } from './attempt-end.ts'
import {
  type HandlerOutcome,
  outcomeOfError,
  outcomeOfIgnoredAbort,
  outcomeOfResult,
  stackOf,
} from './attempt-outcome.ts'
import type { AbortReason, AttemptScope, RunningTask, RunningTasks } from './running-tasks.ts'
import type { Slots } from './slots.ts'
import type { TaskLogs } from './task-logs.ts'
import type { UnwrittenResults } from './unwritten-results.ts'

export interface RunnerDependencies {
  workerId: string
  registry: Registry
  /** The services of the project, which contexts get. */
  services: Services
  running: RunningTasks
  scope: AttemptScope
  slots: Pick<Slots, 'release' | 'leak' | 'recover'>
  /** Runs attempts in isolated processes; undefined if this worker has none. */
  isolated?: IsolatedRuns
  /** Releases a claimed task, so that its next attempt runs in an isolated process. Never rejects. */
  isolate: (task: ClaimedTask) => Promise<void>
  logs: TaskLogs
  unwritten: UnwrittenResults
  watchdog: Pick<Watchdog, 'noteDeadline' | 'blockOf'>
  end: AttemptEnd
  /** Called when the handler of an attempt has ignored its abort and its slot counts as leaked. */
  onLeaked: (attempt: RunningTask) => void
  events: Events
  /** Whether the project has hooks, which get the stacks of errors. */
  hasHooks: boolean
  /** How long a handler has time to return after it was aborted, in milliseconds. */
  abortGraceMs: number
}

export interface IsolatedRuns {
  /** Slots of the tasks that were claimed for isolated processes. */
  slots: Pick<Slots, 'release'>
  /** Runs the handler of an attempt in an isolated process. Never rejects. */
  perform: (limits: Isolation, attempt: RunningTask) => Promise<Outcome>
}

export interface Runner {
  /**
   * Runs an attempt. Frees its slot when the handler has returned. If too many results are unwritten, frees
   * the slot only when the end of the attempt is written. Resolves when the end is written. Never rejects.
   * @param isIsolated whether the task was claimed for an isolated process
   */
  run(task: ClaimedTask, isIsolated?: boolean): Promise<void>
  /**
   * Called when an attempt was aborted. If its handler does not return within `abortGraceMs`, the end of the
   * attempt is written without the handler, and the slot counts as leaked.
   */
  endAfterGrace(attempt: RunningTask): void
}

export function createRunner(dependencies: RunnerDependencies): Runner {
  const { workerId, registry, services, running, scope, slots, isolated, isolate, logs } = dependencies
  const { unwritten, watchdog, end, onLeaked, events, hasHooks, abortGraceMs } = dependencies

  return { run, endAfterGrace }

  async function run(task: ClaimedTask, isIsolated = false): Promise<void> {
    const held = isIsolated && isolated ? isolated.slots : slots
    const definition = registry.find(task.name)
    if (definition?.isolate && !isIsolated) return moveToIsolated(task)
    const attempt = running.begin(task)
    if (!attempt) return held.release(1)
    announceStart(attempt)
    const outcome: HandlerOutcome = isIsolated
      ? await performIsolated(definition, attempt)
      : await perform(definition, attempt)
    const decision = decisionOf(attempt, outcome)
    // The attempt was ended while its handler still ran.
    if (attempt.givenUp) {
      slots.recover()
      return end.keepLate(attempt, decision, outcome.thrown)
    }
    reportBlock(attempt)
    attempt.isOver = true
    const bytes = (decision.resultText?.length ?? 0) + (attempt.log?.bytes ?? 0)
    const isSlotFree = unwritten.add(bytes)
    if (isSlotFree) held.release(1)
    await end.write(attempt, decision, outcome.thrown)
    if (isSlotFree) unwritten.remove(bytes)
    else held.release(1)
  }

  /**
   * Releases a task that was submitted before its definition required isolated processes, and marks it as
   * isolated. Here it would occupy a slot of the other tasks while it waits for an isolated process.
   */
  async function moveToIsolated(task: ClaimedTask): Promise<void> {
    slots.release(1)
    await isolate(task)
  }

  function endAfterGrace(attempt: RunningTask) {
    const { abortReason: reason } = attempt
    // A worker that stops waits for its handlers itself, and then releases their tasks. An isolated process
    // is killed when its handler ignores the abort.
    if (reason === undefined || reason === 'shutdown' || attempt.isIsolated) return
    attempt.graceTimer = startTimeLimit(abortGraceMs, () => {
      attempt.givenUp = giveUp(attempt, reason).catch(
        (error) => void events.emit('error.unexpected', { where: 'ending an attempt', error }),
      )
    })
  }

  async function giveUp(attempt: RunningTask, reason: AbortReason) {
    reportBlock(attempt)
    attempt.isOver = true
    slots.leak()
    onLeaked(attempt)
    if (reason !== 'lost') {
      attempt.log?.clearTail()
      const outcome: HandlerOutcome = outcomeOfIgnoredAbort(reason, attempt, abortGraceMs)
      return end.write(attempt, decisionOf(attempt, outcome), outcome.thrown)
    }
    // The end of a lost attempt would be refused.
    logs.forget(attempt)
    running.end(attempt)
  }

  function decisionOf({ task }: RunningTask, outcome: Outcome): Decision {
    const { failures, maxRetries } = task
    const backoff = registry.find(task.name)?.backoff ?? DEFAULT_BACKOFF
    return decide({ failures, maxRetries, backoff, isCancelRequested: false }, outcome, Math.random())
  }

  async function perform(
    definition: TaskDefinition | undefined,
    attempt: RunningTask,
  ): Promise<HandlerOutcome> {
    const { task } = attempt
    watchdog.noteDeadline(attempt.startedMs + task.timeoutMs)
    const timeLimit = startTimeLimit(task.timeoutMs, () => attempt.abort('timeout'))
    try {
      // If the definition is unknown, the attempt fails and can be retried, because a worker with another
      // version of the code may have the definition.
      if (!definition) throw unknownDefinition(task)
      const result = await scope.run(attempt.key, callHandler, definition, task.input, contextOf(attempt))
      return outcomeOfResult(result, attempt)
    } catch (error) {
      if (hasHooks) attempt.stack = stackOf(error)
      return outcomeOfError(error, attempt)
    } finally {
      timeLimit.clear()
      attempt.graceTimer?.clear()
    }
  }

  async function performIsolated(
    definition: TaskDefinition | undefined,
    attempt: RunningTask,
  ): Promise<Outcome> {
    attempt.isIsolated = true
    if (!definition) return outcomeOfError(unknownDefinition(attempt.task), attempt)
    if (!isolated) return outcomeOfError(new Error('This worker has no isolated processes'), attempt)
    return isolated.perform(definition.isolate ?? DEFAULT_ISOLATION, attempt)
  }

  function contextOf(attempt: RunningTask): TaskContext {
    return createAttemptContext(attempt, services, (message, fields) => {
      // The log of a handler that was given up is kept until it returns.
      if (attempt.isOver && !attempt.givenUp) return
      const replacement = logs.add(attempt, message, fields)
      events.emit('task.log', { ...announced(attempt.task), message, fields: replacement ?? fields })
    })
  }

  /**
   * Reports once for how long an attempt has blocked the event loop. Called after its handler has returned
   * and before its log is closed: a handler that never pauses returns before the block ends.
   */
  function reportBlock(attempt: RunningTask) {
    const block = watchdog.blockOf(attempt)
    if (!block) return
    const { ms, frames } = block
    events.emit('loop.blocked', { workerId, ...announced(attempt.task), ms, frames })
    logs.add(
      attempt,
      `This attempt blocked the event loop of its worker for ${Math.max(1, Math.round(ms / 1_000))} s, and delayed other tasks: consider \`isolate: true\``,
      { blocked_ms: Math.round(ms), ...(frames[0] !== undefined && { at: frames[0] }) },
    )
  }

  function announceStart({ task }: RunningTask) {
    events.emit('task.started', { ...announced(task), waitMs: task.waitMs })
  }
}

function unknownDefinition({ name }: ClaimedTask): Error {
  return new Error(`This worker has no task "${name}"`)
}

function callHandler(definition: TaskDefinition, input: unknown, context: TaskContext): Promise<unknown> {
  return definition.run(checkStoredInput(definition, input), context)
}

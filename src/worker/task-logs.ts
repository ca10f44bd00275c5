// Brings what running tasks log to Postgres: within a second while they run, and all of it before anybody can see that
// they have ended. Best effort: a log that cannot be written costs its task nothing.
import { isAppError } from '../base/errors.ts'
import { createGroupCommit } from '../base/group-commit.ts'
import { pause, startLoop } from '../base/loop.ts'
import type { AttemptLines, LogStore } from '../store/log-store.ts'
import type { Events } from '../telemetry/events.ts'
import { createAttemptLog } from './attempt-log.ts'
import type { RunningTask } from './running-tasks.ts'

export interface TaskLogs {
  /** Keeps a line. @returns the fields as they are kept, where they could not be kept as they are. Never throws */
  add(
    running: RunningTask,
    message: string,
    fields?: Record<string, unknown>,
  ): Record<string, unknown> | undefined
  /**
   * Keeps no more lines of this attempt, and resolves when those that it has are written, or when that takes too long.
   * Before the end of the attempt is written: who sees the end finds the log whole. Never rejects.
   */
  finish(running: RunningTask): Promise<void>
  /** Forgets what could not be written of an attempt that has ended. */
  forget(running: RunningTask): void
  stop(): Promise<void>
}

export interface TaskLogsDependencies {
  workerId: string
  store: Pick<LogStore, 'insertMany'>
  events: Events
  intervalMs: number
}

// A log that Postgres does not take by then is left behind, and the task goes on.
const PATIENCE_MS = 1_000
// As much as one statement may carry when every attempt has its fill: some megabytes.
const MAX_ATTEMPTS_PER_WRITE = 50

export function startTaskLogs({ workerId, store, events, intervalMs }: TaskLogsDependencies): TaskLogs {
  /** Those with lines that are not written yet. Most tasks never come here. */
  const unwritten = new Set<RunningTask>()
  const writing = new WeakMap<RunningTask, Promise<void>>()
  const commits = createGroupCommit<AttemptLines, undefined>({
    name: 'task logs',
    write: store.insertMany,
    maxBatch: MAX_ATTEMPTS_PER_WRITE,
  })
  const loop = startLoop({
    intervalMs,
    async body() {
      await Promise.all([...unwritten].map(write))
    },
    onError: (error) => events.emit('error.unexpected', { where: 'writing task logs', error }),
  })

  return {
    add(running, message, fields) {
      running.log ??= createAttemptLog()
      const replacement = running.log.add(message, fields)
      if (running.log.waiting.length > 0) unwritten.add(running)
      return replacement
    },
    async finish(running) {
      running.log?.close()
      if (!unwritten.has(running)) return
      const giveUp = new AbortController()
      await Promise.race([write(running).then(() => write(running)), pause(PATIENCE_MS, giveUp.signal)])
      giveUp.abort()
    },
    forget: (running) => unwritten.delete(running),
    stop: loop.stop,
  }

  /** One write per attempt at a time; who asks meanwhile waits for that one. Never rejects. */
  function write(running: RunningTask): Promise<void> {
    const underWay = writing.get(running) ?? writeNow(running).finally(() => writing.delete(running))
    writing.set(running, underWay)
    return underWay
  }

  async function writeNow(running: RunningTask): Promise<void> {
    const { task, log } = running
    const lines = log?.take() ?? []
    if (!log || lines.length === 0) return
    try {
      await commits.submit({ id: task.id, attempt: task.attempt, workerId, lines })
    } catch (error) {
      // What is wrong with the lines themselves stays wrong.
      if (!isAppError(error)) {
        events.emit('error.unexpected', { where: 'writing task logs', error })
        return
      }
      log.release(lines)
      events.emit('error.transient', { where: 'writing task logs', error })
    } finally {
      if (log.waiting.length === 0) unwritten.delete(running)
    }
  }
}

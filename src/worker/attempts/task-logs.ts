// Writes the log lines of running tasks to Postgres: each within a second, and the last ones before the end
// of the attempt is written. Best effort: a task does not fail if its log cannot be written.
import { isAppError } from '../../base/errors.ts'
import { createGroupCommit } from '../../base/group-commit.ts'
import { startLoop } from '../../base/loop.ts'
import { startTimeLimit } from '../../base/time-limit.ts'
import type { AttemptLines, LogStore, NewLogLine } from '../../store/log-store.ts'
import type { Events } from '../../telemetry/events.ts'
import { createAttemptLog } from './attempt-log.ts'
import type { RunningTask } from './running-tasks.ts'

export interface TaskLogs {
  /**
   * Adds a line, i.e. a message and its fields, to the log of an attempt. Never throws.
   * @returns undefined if the fields are stored unchanged; if they cannot be, e.g. because they are too
   * large, the changed copy that is stored instead
   */
  add(
    running: RunningTask,
    message: string,
    fields?: Record<string, unknown>,
  ): Record<string, unknown> | undefined
  /** Adds lines that were logged in an isolated process. */
  addStorable(running: RunningTask, lines: NewLogLine[]): void
  /**
   * Closes the log of an attempt and writes its last lines, before the end of the attempt is written.
   * Resolves when they are written, or after a time limit. Never rejects.
   */
  finish(running: RunningTask): Promise<void>
  /** Drops the lines of an ended attempt that could not be written in time. */
  forget(running: RunningTask): void
  stop(): Promise<void>
}

export interface TaskLogsDependencies {
  workerId: string
  store: Pick<LogStore, 'insertMany'>
  events: Events
  intervalMs: number
}

// Time limit for writing the last lines of an attempt. After that, the end of the attempt is written without
// them.
const FINISH_TIMEOUT_MS = 1_000
// Maximum number of attempts whose lines one statement inserts. An attempt logs at most 256 KiB, so a
// statement has at most about 13 MB.
const MAX_ATTEMPTS_PER_WRITE = 50

export function startTaskLogs({ workerId, store, events, intervalMs }: TaskLogsDependencies): TaskLogs {
  /** Attempts that have lines to write. An attempt that logs nothing is never in this set. */
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
      // Postgres refuses lines of an attempt that was given up. The tail of its log is kept.
      if (running.isOver) running.log.close()
      const replacement = running.log.add(message, fields)
      if (running.log.waiting.length > 0 && !running.isOver) unwritten.add(running)
      return replacement
    },
    addStorable(running, lines) {
      running.log ??= createAttemptLog()
      for (const line of lines) running.log.addStorable(line)
      if (running.log.waiting.length > 0) unwritten.add(running)
    },
    async finish(running) {
      running.log?.close()
      if (!unwritten.has(running)) return
      // Calls `write` twice: the first call may only wait for a write that began before the last lines were
      // logged. The second call then writes these lines.
      await new Promise<void>((resolve) => {
        const limit = startTimeLimit(FINISH_TIMEOUT_MS, resolve)
        void write(running)
          .then(() => write(running))
          .then(() => {
            limit.clear()
            resolve()
          })
      })
    },
    forget: (running) => unwritten.delete(running),
    stop: loop.stop,
  }

  /**
   * Writes the waiting lines of an attempt. If a write for this attempt is already under way, only waits for
   * that one, which may not contain the newest lines. Never rejects.
   */
  function write(running: RunningTask): Promise<void> {
    const underWay = writing.get(running) ?? writeNow(running).finally(() => writing.delete(running))
    writing.set(running, underWay)
    return underWay
  }

  async function writeNow(running: RunningTask): Promise<void> {
    const { task, log } = running
    const lines = log?.drain() ?? []
    if (!log || lines.length === 0) return
    try {
      await commits.add({ id: task.id, attempt: task.attempt, workerId, lines })
    } catch (error) {
      // Only an AppError means an outage of Postgres. After any other error the lines are dropped, because
      // Postgres will never store them.
      if (!isAppError(error)) {
        events.emit('error.unexpected', { where: 'writing task logs', error })
        return
      }
      log.restore(lines)
      events.emit('error.transient', { where: 'writing task logs', error })
    } finally {
      if (log.waiting.length === 0) unwritten.delete(running)
    }
  }
}

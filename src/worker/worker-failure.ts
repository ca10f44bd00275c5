// Stops the claims of a worker that cannot continue. The process must then stop the worker in order and exit
// with 1, so that its supervisor starts a new one.
import type { Events } from '../telemetry/events.ts'
import { announced } from './attempts/announced-task.ts'
import type { RunningTasks } from './attempts/running-tasks.ts'
import type { Slots } from './attempts/slots.ts'

export interface WorkerFailure {
  /** Resolves with the reason of the first failure. */
  readonly failed: Promise<string>
  /** Stops claiming and resolves `failed`. Further calls only report their error. */
  fail(reason: string, error?: unknown): void
}

export interface WorkerFailureDependencies {
  workerId: string
  slots: Pick<Slots, 'suspend'>[]
  running: RunningTasks
  events: Events
}

export function createWorkerFailure(dependencies: WorkerFailureDependencies): WorkerFailure {
  const { workerId, slots, running, events } = dependencies
  let isFailed = false
  let resolveFailed: (reason: string) => void = () => {}
  const failed = new Promise<string>((resolve) => {
    resolveFailed = resolve
  })
  return {
    failed,
    fail(reason, error) {
      if (isFailed) {
        if (error !== undefined) events.emit('error.unexpected', { where: 'a worker that has failed', error })
        return
      }
      isFailed = true
      for (const each of slots) each.suspend()
      const attempts = running.all().filter(({ isOver }) => !isOver)
      events.emit('worker.failed', {
        workerId,
        reason,
        ...(error !== undefined && { error }),
        running: attempts.map(({ task }) => announced(task)),
      })
      resolveFailed(reason)
    },
  }
}

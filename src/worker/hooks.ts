// Calls the hooks of the project when the end of an attempt is stored.
import { createGroupCommit } from '../base/group-commit.ts'
import { pause } from '../base/loop.ts'
import type { AttemptErrorEvent, AttemptEvent, HookError, Hooks, HookTask } from '../definitions/hooks.ts'
import type { Services } from '../definitions/services.ts'
import type { TaskStatus } from '../definitions/task-status.ts'
import type { Described, WorkerStore } from '../store/worker-store.ts'
import type { Events } from '../telemetry/events.ts'
import type { AttemptScope } from './attempts/running-tasks.ts'

/** An attempt whose end is stored. */
export interface EndedAttempt {
  taskId: string
  name: string
  attempt: number
  /** The status of the task after the end. */
  status: TaskStatus
  error?: HookError
}

export interface HookCalls {
  /** Calls the hooks for this end. Returns immediately and never throws. */
  attemptEnded(attempt: EndedAttempt): void
  /** Resolves when no hook runs. */
  whenIdle(): Promise<void>
}

export interface HookDependencies {
  hooks: Hooks
  services: Services
  store: Pick<WorkerStore, 'describe'>
  /** Async context of attempts: a stray error of a hook is then not taken for an error of the worker. */
  scope: AttemptScope
  events: Events
}

type HookName = keyof Hooks

// Maximum number of ended attempts whose hooks run or wait. Each keeps little memory; a hook that hangs must not
// make the worker grow.
const MAX_UNDER_WAY = 1_000
// After this time a hook counts as ended.
const LIMIT_MS = 60_000

/** @returns undefined if the project has no hooks */
export function createHookCalls(dependencies: HookDependencies): HookCalls | undefined {
  const { hooks, services, store, scope, events } = dependencies
  if (!Object.values(hooks).some((hook) => hook !== undefined)) return undefined
  const descriptions = createGroupCommit<string, Described | undefined>({
    name: 'descriptions of tasks for hooks',
    write: store.describe,
  })
  const underWay = new Set<Promise<void>>()

  return {
    attemptEnded(ended) {
      const names = namesFor(ended).filter((name) => hooks[name] !== undefined)
      if (names.length === 0) return
      if (underWay.size >= MAX_UNDER_WAY) return report(names[0], ended, new Error(TOO_MANY))
      const key = { taskId: ended.taskId, attempt: ended.attempt }
      const calls = scope.run(key, () => callAll(names, ended)).finally(() => underWay.delete(calls))
      underWay.add(calls)
    },
    async whenIdle() {
      await Promise.all(underWay)
    },
  }

  async function callAll(names: HookName[], ended: EndedAttempt) {
    const task = await describe(ended)
    await Promise.all(
      names.map((name) => call(name, task, ended).catch((error) => report(name, ended, error))),
    )
  }

  async function call(name: HookName, task: HookTask, { taskId, status, error }: EndedAttempt) {
    const event: AttemptEvent = {
      task,
      services,
      log: (message, fields) =>
        void events.emit('project.log', { message, fields: { ...fields, hook: name, taskId } }),
    }
    const failed: AttemptErrorEvent | undefined = error && {
      ...event,
      error,
      willRetry: status !== 'FAILURE',
    }
    const ended = new AbortController()
    const tooLate = pause(LIMIT_MS, ended.signal).then(() => {
      if (!ended.signal.aborted) throw new Error(`It has not ended within ${LIMIT_MS / 1_000} s`)
    })
    try {
      const hook = hooks[name] as (event: AttemptEvent) => unknown
      await Promise.race([hook(failed ?? event), tooLate])
    } finally {
      ended.abort()
    }
  }

  async function describe({ taskId: id, name, attempt }: EndedAttempt): Promise<HookTask> {
    const { queue, tags, requestId, traceparent } = (await descriptions.add(id).catch(() => undefined)) ?? {}
    return {
      id,
      name,
      attempt,
      queue,
      tags,
      requestId: requestId ?? undefined,
      traceparent: traceparent ?? undefined,
    }
  }

  function report(name: HookName | undefined, { taskId, attempt }: EndedAttempt, error: unknown) {
    events.emit('error.unexpected', { where: `hook ${name}`, taskId, attempt, error })
  }
}

const TOO_MANY = `It was not called: the hooks of ${MAX_UNDER_WAY} attempts run already`

function namesFor({ status, error }: EndedAttempt): HookName[] {
  if (status === 'SUCCESS') return ['onSuccess']
  if (status === 'FAILURE') return ['onAttemptError', 'onFailure']
  return error && status !== 'CANCELLED' ? ['onAttemptError'] : []
}

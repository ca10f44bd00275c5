// Creates callbacks: when a task with a `callback_url` has ended, a new task posts the result to that URL.
// Any worker creates the callback of any ended task, so no leader is elected. Row locks and the condition
// `callback_id is null` ensure that each end of a task gets only one callback.
import { isAppError } from '../../base/errors.ts'
import { type Loop, startLoop } from '../../base/loop.ts'
import { newId } from '../../base/uuidv7.ts'
import type { Registry } from '../../definitions/registry.ts'
import { masked, masksOf } from '../../definitions/sensitive.ts'
import type { TaskError } from '../../definitions/task-status.ts'
import type { Callback, CallbackStore, EndedTask } from '../../store/callback-store.ts'
import { CALLBACK } from '../../tasks/callback.ts'
import type { Events } from '../../telemetry/events.ts'

export interface CallbacksDependencies {
  store: CallbackStore
  registry: Registry
  /** Called when callback tasks were created in Postgres, because the dispatcher has to enqueue them. */
  onCreated: () => void
  events: Events
  intervalMs: number
}

// Maximum number of callbacks per statement. It is small, because each callback contains a result of up to
// 1 MiB, which is in memory several times while it is written.
const BATCH = 20
// The periodic loop stops creating callbacks until its next interval when this many have failed: so many
// failures have a common cause, and are not due to single invalid callbacks.
const MAX_FAILED = 1_000

export function startCallbacks({
  store,
  registry,
  onCreated,
  events,
  intervalMs,
}: CallbacksDependencies): Loop {
  const reportedIds = new Set<string>()
  return startLoop({
    intervalMs,
    body: callBack,
    onError: (error) => events.emit('error.transient', { where: 'callbacks', error }),
  })

  async function callBack() {
    const failed: string[] = []
    while (failed.length < MAX_FAILED) {
      const ended = await store.findEnded(BATCH, failed)
      if (ended.length === 0) return
      const { count, failedIds } = await write(ended)
      failed.push(...failedIds)
      if (count > 0) onCreated()
      // Fewer callbacks than a full batch were created or failed: either no more ended tasks need a callback,
      // or another worker has locked them and creates their callbacks. Waits for the next interval.
      if (count + failedIds.length < BATCH) return
    }
  }

  /**
   * Creates the callbacks of ended tasks in one statement. If it fails, creates each callback alone, so that
   * an invalid one does not block the others. The next round tries failed callbacks again.
   * @throws AppError `unavailable`
   */
  async function write(ended: EndedTask[]): Promise<{ count: number; failedIds: string[] }> {
    try {
      return { count: await store.createMany(ended.map(callbackOf)), failedIds: [] }
    } catch (error) {
      if (isAppError(error, 'unavailable')) throw error
      if (ended.length > 1) return writeOneByOne(ended)
      const [{ id }] = ended as [EndedTask]
      report(id, error)
      return { count: 0, failedIds: [id] }
    }
  }

  async function writeOneByOne(ended: EndedTask[]) {
    const written = { count: 0, failedIds: [] as string[] }
    for (const task of ended) {
      const { count, failedIds } = await write([task])
      written.count += count
      written.failedIds.push(...failedIds)
    }
    return written
  }

  /** Emits an error event for a callback that cannot be created: once, not in every round. */
  function report(id: string, error: unknown) {
    if (reportedIds.has(id)) return
    reportedIds.add(id)
    events.emit('error.unexpected', { where: `creating the callback of task ${id}`, error })
  }

  function callbackOf(ended: EndedTask): Callback {
    const { name, queue, timeoutMs, maxRetries } = registry.getInternal(CALLBACK)
    const createdAt = new Date()
    return {
      id: newId(createdAt.getTime()),
      name,
      queue,
      timeoutMs,
      maxRetries,
      // The URL was checked at submission. If it is refused now, the callback fails.
      input: { url: ended.callbackUrl ?? '', body: payloadOf({ ...ended, result: shownResultOf(ended) }) },
      tags: [],
      createdAt,
      requestId: ended.requestId ?? undefined,
      traceparent: ended.traceparent ?? undefined,
      parentId: ended.id,
      parentVersion: ended.version,
    }
  }

  /** Sensitive values are masked: whoever submits a task chooses the URL, and need not be allowed to see them. */
  function shownResultOf({ name, result }: EndedTask): unknown {
    const definition = registry.find(name)
    const mask = definition && masksOf(definition).result
    return mask ? masked(mask, result) : result
  }
}

/** Returns the body of a callback: the payload of Standard Webhooks 1.0, with the field names of the API. */
function payloadOf(ended: EndedTask) {
  return {
    type: `task.${ended.status.toLowerCase()}`,
    timestamp: ended.finishedAt?.toISOString(),
    data: {
      id: ended.id,
      name: ended.name,
      queue: ended.queue,
      status: ended.status,
      result: ended.result ?? null,
      error: ended.error && publicErrorOf(ended.error),
      attempt: ended.attempt,
      tags: ended.tags,
      created_at: ended.createdAt.toISOString(),
      finished_at: ended.finishedAt?.toISOString(),
    },
  }
}

/** Omits the stack of an error: it names files of this system, and callbacks go to other systems. */
function publicErrorOf({ name, message, retryable }: TaskError): Omit<TaskError, 'stack'> {
  return { name, message, retryable }
}

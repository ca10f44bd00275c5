// Tells those who asked for it that a task has ended: makes a task that posts it to their `callback_url`. Any worker may,
// for whatever worker or API ended it; none is elected.
import { isAppError } from '../base/errors.ts'
import { type Loop, startLoop } from '../base/loop.ts'
import { newId } from '../base/uuidv7.ts'
import type { Registry } from '../definitions/registry.ts'
import type { Callback, CallbackStore, EndedTask } from '../store/callback-store.ts'
import type { HttpRequestInput } from '../tasks/http/request-input.ts'
import { HTTP_REQUEST } from '../tasks/http-request.ts'
import type { Events } from '../telemetry/events.ts'

export interface CallbacksDependencies {
  store: CallbackStore
  registry: Registry
  /** Called when callbacks have been made that are to be rung. */
  onCreated: () => void
  events: Events
  intervalMs: number
}

// Each carries a result of up to 1 MiB, several times over while it is written; more comes in the next turn of the round.
const BATCH = 20
// Where so many cannot be written it is not they who are to blame: all are tried again in the next round.
const MAX_PASSED = 1_000
// Some four hours with the pauses of `http_request`: nobody stands by to send it again.
const MAX_RETRIES = 15

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
    const passed: string[] = []
    while (passed.length < MAX_PASSED) {
      const ended = await store.findEnded(BATCH, passed)
      if (ended.length === 0) return
      const { count, failedIds } = await write(ended)
      passed.push(...failedIds)
      if (count > 0) onCreated()
      // Not a whole batch: there is no more, or another worker is at the same ones.
      if (count + failedIds.length < BATCH) return
    }
  }

  /** One that cannot be told must not keep the others from being told: it fails alone, and waits for the next round. */
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

  /** Once, not in every round. */
  function report(id: string, error: unknown) {
    if (reportedIds.has(id)) return
    reportedIds.add(id)
    events.emit('error.unexpected', { where: `making the callback of task ${id}`, error })
  }

  function callbackOf(ended: EndedTask): Callback {
    const { name, queue, timeoutMs } = registry.get(HTTP_REQUEST)
    const createdAt = new Date()
    return {
      id: newId(createdAt.getTime()),
      name,
      queue,
      timeoutMs,
      maxRetries: MAX_RETRIES,
      input: inputOf(ended),
      tags: [],
      createdAt,
      requestId: ended.requestId ?? undefined,
      traceparent: ended.traceparent ?? undefined,
      parentId: ended.id,
      parentVersion: ended.version,
    }
  }
}

/**
 * Signed where there is a secret. The URL was checked when the task was submitted; should it be refused by now, the
 * callback fails and says so.
 */
function inputOf(ended: EndedTask): HttpRequestInput {
  return { method: 'POST', url: ended.callbackUrl ?? '', body: payloadOf(ended) }
}

/** In the form of Standard Webhooks 1.0, "Payload structure", and in the words of the API. */
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
      error: ended.error,
      attempt: ended.attempt,
      tags: ended.tags,
      created_at: ended.createdAt.toISOString(),
      finished_at: ended.finishedAt?.toISOString(),
    },
  }
}

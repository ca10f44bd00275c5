// Streams one task as server-sent events: its current state, then every change until it has ended.
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { TaskSubscription } from '../../service/task-watcher.ts'
import type { TaskRow } from '../../store/schema.ts'
import type { ApiDependencies } from '../dependencies.ts'
import type { Masking } from './masking.ts'
import { readTask, watchTask } from './read-task.ts'
import { viewOfTask } from './task-view.ts'

// A stream sends a comment when its task has not changed for this long, because proxies and load balancers
// close idle connections; their shortest usual limit is 30 s.
const COMMENT_INTERVAL_MS = 15_000

/**
 * Returns the event stream of a task. The id of each event is the version of the task, so a client that
 * reconnects with `Last-Event-ID` gets newer versions only. A client that already has the final version gets
 * 204, after which a browser does not reconnect.
 * @throws AppError `unknown_task`
 */
export async function streamTask(
  dependencies: ApiDependencies & { masking: Masking },
  c: Context,
  id: string,
): Promise<Response> {
  const subscription = watchTask(dependencies, id)
  const row = await readTask(dependencies, id).catch((error) => {
    subscription.close()
    throw error
  })
  const lastSeen = c.req.header('Last-Event-ID')
  const isSeen = lastSeen === String(row.version)
  if (isSeen && row.finishedAt !== null) {
    subscription.close()
    return c.body(null, 204)
  }
  // Disables response buffering in nginx, which would delay events.
  c.header('X-Accel-Buffering', 'no')
  if (c.req.method === 'HEAD') {
    // HEAD gets only the headers. Nothing would read a stream in this response, so it would never end.
    subscription.close()
    return c.body(null, 200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  }
  const response = streamSSE(c, async (stream) => {
    const disconnected = new AbortController()
    stream.onAbort(() => disconnected.abort())
    try {
      if (!isSeen) await send(row)
      await follow(row, subscription, disconnected.signal, send, () => stream.write(': keep-alive\n\n'))
    } finally {
      subscription.close()
    }

    async function send(task: TaskRow) {
      const data = JSON.stringify(viewOfTask(dependencies.masking.row(task)))
      await stream.writeSSE({ id: String(task.version), event: 'task', data })
    }
  })
  // Removes `Connection: keep-alive`, which Hono's streamSSE always sets: it is wrong if the client sent
  // `Connection: close`.
  response.headers.delete('Connection')
  return response
}

/** Sends newer versions of the task until it has ended, and a comment when nothing changes for a while. */
async function follow(
  row: TaskRow,
  subscription: TaskSubscription,
  signal: AbortSignal,
  send: (task: TaskRow) => Promise<void>,
  comment: () => Promise<unknown>,
): Promise<void> {
  let current = row
  while (current.finishedAt === null && !signal.aborted && !subscription.isOver) {
    const newer = await subscription.next(current.version, COMMENT_INTERVAL_MS, signal)
    if (newer) await send(newer)
    else await comment()
    current = newer ?? current
  }
}

// One task as server-sent events: as it is now, and then whenever its status or progress changes, until its end.
import type { Context } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { TaskSubscription } from '../../service/task-watcher.ts'
import type { TaskRow } from '../../store/schema.ts'
import type { ApiDependencies } from '../dependencies.ts'
import { readTask, watchTask } from './read-task.ts'
import { viewOfTask } from './task-view.ts'

// Proxies and load balancers end connections on which nothing is said; the shortest usual limit is 30 s.
const COMMENT_MS = 15_000

/**
 * The id of each event is the task's version: who comes back with `Last-Event-ID` is told only what is newer, and with
 * that of the final event gets 204, which tells a browser not to come again.
 * @throws AppError `unknown_task`
 */
export async function streamTask(dependencies: ApiDependencies, c: Context, id: string): Promise<Response> {
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
  // nginx hands events on as they come.
  c.header('X-Accel-Buffering', 'no')
  if (c.req.method === 'HEAD') {
    // Nobody would read the stream, and so it would never end.
    subscription.close()
    return c.body(null, 200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
  }
  const response = streamSSE(c, async (stream) => {
    const leaving = new AbortController()
    stream.onAbort(() => leaving.abort())
    try {
      if (!isSeen) await send(row)
      await follow(row, subscription, leaving.signal, send, () => stream.write(': still here\n\n'))
    } finally {
      subscription.close()
    }

    async function send(task: TaskRow) {
      const data = JSON.stringify(viewOfTask(task))
      await stream.writeSSE({ id: String(task.version), event: 'task', data })
    }
  })
  // Hono's own says keep-alive, even to whoever asked for the connection to be closed.
  response.headers.delete('Connection')
  return response
}

async function follow(
  row: TaskRow,
  subscription: TaskSubscription,
  signal: AbortSignal,
  send: (task: TaskRow) => Promise<void>,
  comment: () => Promise<unknown>,
): Promise<void> {
  let current = row
  while (current.finishedAt === null && !signal.aborted && !subscription.isOver) {
    const newer = await subscription.next(current.version, COMMENT_MS, signal)
    if (newer) await send(newer)
    else await comment()
    current = newer ?? current
  }
}

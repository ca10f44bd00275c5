// Rings what is due: delays, retries, and submissions whose bell could not be rung. Any worker may; none is elected.
import { startLoop } from '../base/loop.ts'
import type { Queue } from '../redis/queue.ts'
import type { DispatchStore } from '../store/dispatch-store.ts'
import type { TaskToEnqueue } from '../store/task-store.ts'
import type { Events } from '../telemetry/events.ts'

export interface Dispatcher {
  /** SharedQueries again after so many milliseconds: a task will be due then. */
  wakeIn(delayMs: number): void
  stop(): Promise<void>
}

export interface DispatcherDependencies {
  queues: string[]
  queue: Queue
  dispatchStore: DispatchStore
  events: Events
  intervalMs: number
}

// Enough for some full deliveries; more comes in the next turn of the same round.
const BATCH = 1_000

export function startDispatcher({
  queues,
  queue,
  dispatchStore,
  events,
  intervalMs,
}: DispatcherDependencies): Dispatcher {
  const timers = new Set<NodeJS.Timeout>()
  const loop = startLoop({
    intervalMs,
    body: dispatch,
    onError: (error) => events.emit('error.transient', { where: 'dispatcher', error }),
  })
  return {
    wakeIn(delayMs) {
      // What is due later is found by the next round, which sleeps no longer than until then.
      if (delayMs >= intervalMs) return
      const timer = setTimeout(() => {
        timers.delete(timer)
        loop.wake()
      }, delayMs + 1)
      timers.add(timer)
    },
    async stop() {
      for (const timer of timers) clearTimeout(timer)
      await loop.stop()
    },
  }

  async function dispatch(stopping: AbortSignal): Promise<number | undefined> {
    const reachable = queues.filter((name) => queue.isReady(name))
    if (reachable.length === 0) return
    // A batch of each in turn: the backlog of one queue does not hold up the others.
    for (let rest = reachable; rest.length > 0 && !stopping.aborted; ) {
      const full: string[] = []
      for (const name of rest) if ((await dispatchSome(name)) === BATCH) full.push(name)
      rest = full
    }
    return (await dispatchStore.msUntilDue(reachable)) ?? undefined
  }

  async function dispatchSome(name: string): Promise<number> {
    const refs = await dispatchStore.markDueEnqueued(name, BATCH)
    if (refs.length > 0) await enqueueMarked({ queue, dispatchStore, events }, 'due', name, refs)
    return refs.length
  }
}

/** Rings what was just counted as rung, of one queue; leaves it to the next round when Redis went away in between. */
export async function enqueueMarked(
  { queue, dispatchStore, events }: { queue: Queue; dispatchStore: DispatchStore; events: Events },
  reason: 'due' | 'lost',
  name: string,
  refs: TaskToEnqueue[],
): Promise<void> {
  try {
    await queue.enqueueMany(name, refs)
    events.emit('tasks.enqueued', { reason, count: refs.length })
  } catch (error) {
    await dispatchStore.clearEnqueued(refs)
    throw error
  }
}

// Opens what every process needs: the ledger, the bell and the notices; `close` undoes it.
import { createQueue, type Queue } from './queue.ts'
import { createRateLimiter, type RateLimit, type RateLimiter } from './rate-limiter.ts'
import { createSignals, type Signals } from './signals.ts'
import { type BellStore, createBellStore } from './store/bell-store.ts'
import { type CallbackStore, createCallbackStore } from './store/callback-store.ts'
import { type Database, openDatabase } from './store/database.ts'
import { createQueueStore, type QueueStore } from './store/queue-store.ts'
import { createTaskList, type TaskList } from './store/task-list.ts'
import { createTaskReader, type TaskReader } from './store/task-reader.ts'
import { createTaskStore, type TaskStore } from './store/task-store.ts'
import { createWorkerStore, type WorkerStore } from './store/worker-store.ts'
import type { Events } from './telemetry/events.ts'

export interface Connections {
  database: Database
  taskStore: TaskStore
  taskReader: TaskReader
  taskList: TaskList
  bellStore: BellStore
  callbackStore: CallbackStore
  queueStore: QueueStore
  workerStore: WorkerStore
  queue: Queue
  signals: Signals
  /** Only where a limit was asked for. */
  rateLimiter?: RateLimiter
  close(): Promise<void>
}

/** Returns without waiting for either server: both may come later, go, and come back. */
export async function openConnections(
  {
    databaseUrl,
    redisUrl,
    poolSize,
    rateLimit,
  }: { databaseUrl: string; redisUrl: string; poolSize?: number; rateLimit?: RateLimit },
  events: Events,
): Promise<Connections> {
  const database = await openDatabase(databaseUrl, { poolSize })
  const queue = createQueue({
    redisUrl,
    onError: (error) => events.emit('trouble', { where: 'queue', error }),
  })
  const signals = createSignals({
    redisUrl,
    onError: (error) => events.emit('trouble', { where: 'signals', error }),
  })
  const rateLimiter =
    rateLimit &&
    createRateLimiter({
      redisUrl,
      limit: rateLimit,
      onError: (error) => events.emit('trouble', { where: 'counting requests, nobody is limited', error }),
    })
  return {
    database,
    taskStore: createTaskStore(database),
    taskReader: createTaskReader(database),
    taskList: createTaskList(database),
    bellStore: createBellStore(database),
    callbackStore: createCallbackStore(database),
    queueStore: createQueueStore(database),
    workerStore: createWorkerStore(database),
    queue,
    signals,
    rateLimiter,
    async close() {
      await Promise.all([queue.stop(), signals.stop(), rateLimiter?.stop()])
      await database.close()
    },
  }
}

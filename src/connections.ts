// Opens what every process needs: the ledger, the bell and the notices; `close` undoes it.

import { createSharedQueries, createSharedQuery, type SharedQuery } from './base/shared-query.ts'
import { createQueue, type Queue } from './redis/queue.ts'
import { createRateLimiter, type RateLimit, type RateLimiter } from './redis/rate-limiter.ts'
import { createSignals, type Signals } from './redis/signals.ts'
import { type ActivityStore, type ActivityWindow, createActivityStore } from './store/activity-store.ts'
import { type CallbackStore, createCallbackStore } from './store/callback-store.ts'
import { type Database, openDatabase } from './store/database.ts'
import { createDispatchStore, type DispatchStore } from './store/dispatch-store.ts'
import { createLogStore, type LogStore } from './store/log-store.ts'
import { createQueueStore, type QueueStore, type QueueSummary } from './store/queue-store.ts'
import { createRetentionStore, type RetentionStore } from './store/retention-store.ts'
import { createTaskList, type TaskList } from './store/task-list.ts'
import { createTaskReader, type TaskReader } from './store/task-reader.ts'
import { createTaskStore, type TaskStore } from './store/task-store.ts'
import { createWorkerStore, type ListedWorker, type WorkerStore } from './store/worker-store.ts'
import type { Events } from './telemetry/events.ts'

export interface Connections {
  database: Database
  taskStore: TaskStore
  taskReader: TaskReader
  taskList: TaskList
  dispatchStore: DispatchStore
  callbackStore: CallbackStore
  logStore: LogStore
  queueStore: QueueStore
  workerStore: WorkerStore
  activityStore: ActivityStore
  retentionStore: RetentionStore
  /** What everybody asks who watches, answered from one look for all. */
  sharedQueries: SharedQueries
  queue: Queue
  signals: Signals
  /** Only where a limit was asked for. */
  rateLimiter?: RateLimiter
  close(): Promise<void>
}

export interface SharedQueries {
  queues: SharedQuery<QueueSummary[]>
  workers: SharedQuery<ListedWorker[]>
  /** By how many seconds it goes back. */
  activity: (windowSeconds: number) => Promise<ActivityWindow>
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
    onError: (error) => events.emit('error.transient', { where: 'queue', error }),
  })
  const signals = createSignals({
    redisUrl,
    onError: (error) => events.emit('error.transient', { where: 'signals', error }),
  })
  const rateLimiter =
    rateLimit &&
    createRateLimiter({
      redisUrl,
      limit: rateLimit,
      onError: (error) =>
        events.emit('error.transient', { where: 'counting requests, nobody is limited', error }),
    })
  const queueStore = createQueueStore(database)
  const workerStore = createWorkerStore(database)
  const activityStore = createActivityStore(database)
  return {
    database,
    taskStore: createTaskStore(database),
    taskReader: createTaskReader(database),
    taskList: createTaskList(database),
    dispatchStore: createDispatchStore(database),
    callbackStore: createCallbackStore(database),
    queueStore,
    workerStore,
    activityStore,
    retentionStore: createRetentionStore(database),
    sharedQueries: {
      queues: createSharedQuery(queueStore.summarize),
      workers: createSharedQuery(workerStore.list),
      activity: createSharedQueries(activityStore.read),
    },
    logStore: createLogStore(database),
    queue,
    signals,
    rateLimiter,
    async close() {
      await Promise.all([queue.stop(), signals.stop(), rateLimiter?.stop()])
      await database.close()
    },
  }
}

// Creates all stores of a process. They use the same database.
import { createActivityStore } from './activity-store.ts'
import { createCallbackStore } from './callback-store.ts'
import { createCodeSchedules } from './code-schedules.ts'
import type { Database } from './database.ts'
import { createDispatchStore } from './dispatch-store.ts'
import { createDueScheduleStore } from './due-schedules.ts'
import { createHeldReader } from './held/held-reader.ts'
import { createLimitStore } from './held/limit-store.ts'
import { createLogStore } from './log-store.ts'
import { createQueueStore } from './queue-store.ts'
import { createRetentionStore } from './retention-store.ts'
import { createScheduleStore } from './schedule-store.ts'
import { createTaskList } from './task-list.ts'
import { createTaskReader } from './task-reader.ts'
import { createTaskStore } from './task-store.ts'
import { createUniqueStore } from './unique/unique-store.ts'
import { createWorkerStore } from './worker-store.ts'

export type Stores = ReturnType<typeof createStores>

export function createStores(database: Database) {
  return {
    taskStore: createTaskStore(database),
    taskReader: createTaskReader(database.reads),
    taskList: createTaskList(database.searches),
    dispatchStore: createDispatchStore(database),
    limitStore: createLimitStore(database),
    uniqueStore: createUniqueStore(database),
    heldReader: createHeldReader(database),
    callbackStore: createCallbackStore(database),
    logStore: createLogStore(database),
    scheduleStore: createScheduleStore(database),
    dueScheduleStore: createDueScheduleStore(database),
    codeSchedules: createCodeSchedules(database),
    queueStore: createQueueStore(database),
    workerStore: createWorkerStore(database),
    activityStore: createActivityStore(database),
    retentionStore: createRetentionStore(database),
  }
}

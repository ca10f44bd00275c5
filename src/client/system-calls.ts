// Calls of the client that concern the system: health, permissions, definitions, statistics, queues and workers.
import { type Api, type CallOptions, idPath, type SendCall } from './request.ts'
import type {
  Access,
  Definition,
  KeyCount,
  KeysQuery,
  Queue,
  QueueLimits,
  Readiness,
  Statistics,
  StatisticsQuery,
  Worker,
} from './system.ts'

export interface SystemCalls {
  /** Resolves when the API can accept tasks; rejects if it cannot within `retryForMs`. */
  ready(call?: CallOptions): Promise<Readiness>

  /** Returns name and scopes of the API key. */
  access(call?: CallOptions): Promise<Access>

  /** Returns the definitions that clients may submit, with the JSON Schemas of their inputs and results. */
  definitions(call?: CallOptions): Promise<{ data: Definition[] }>

  /**
   * Returns how many tasks wait and run now, and statistics of a time window that ends now: for example how
   * many tasks were accepted or failed in it, and how long tasks waited and ran.
   */
  stats(query?: StatisticsQuery, call?: CallOptions): Promise<Statistics>

  queues(call?: CallOptions): Promise<{ data: Queue[] }>

  /** No task of a paused queue starts until `resumeQueue`. Running tasks continue. */
  pauseQueue(name: string, call?: CallOptions): Promise<Queue>

  resumeQueue(name: string, call?: CallOptions): Promise<Queue>

  /** Sets the limits of a queue, over all workers. Two times null removes them. */
  setQueueLimits(name: string, limits: QueueLimits, call?: CallOptions): Promise<Queue>

  /** Lists the keys of limits with unfinished tasks, those with most waiting tasks first. */
  keys(query?: KeysQuery, call?: CallOptions): Promise<{ data: KeyCount[] }>

  workers(call?: CallOptions): Promise<{ data: Worker[] }>

  /**
   * Stops a worker from claiming tasks until `resumeWorker` or the end of its process. Running tasks
   * continue.
   */
  drainWorker(id: string, call?: CallOptions): Promise<Worker>

  resumeWorker(id: string, call?: CallOptions): Promise<Worker>
}

export function createSystemCalls({ v1, health }: Api, send: SendCall): SystemCalls {
  return {
    ready: (call) => send((settings) => health.ready.$get({}, settings), call),

    access: (call) => send((settings) => v1.access.$get({}, settings), call),

    // The cast gives the JSON Schemas their type, which the API derives only in part.
    definitions: (call) =>
      send((settings) => v1.definitions.$get({}, settings), call) as Promise<{ data: Definition[] }>,

    stats: ({ window } = {}, call) => {
      const query = { ...(window !== undefined && { window: String(window) }) }
      return send((settings) => v1.stats.$get({ query }, settings), call)
    },

    queues: (call) => send((settings) => v1.queues.$get({}, settings), call),

    pauseQueue: (name, call) =>
      send((settings) => v1.queues[':name'].pause.$post(queuePath(name), settings), call),

    resumeQueue: (name, call) =>
      send((settings) => v1.queues[':name'].resume.$post(queuePath(name), settings), call),

    setQueueLimits: (name, limits, call) =>
      send(
        (settings) => v1.queues[':name'].limits.$put({ ...queuePath(name), json: limits }, settings),
        call,
      ),

    keys: ({ limit, ...filter } = {}, call) => {
      const query = { ...filter, ...(limit !== undefined && { limit: String(limit) }) }
      return send((settings) => v1.keys.$get({ query }, settings), call)
    },

    workers: (call) => send((settings) => v1.workers.$get({}, settings), call),

    drainWorker: (id, call) => send((settings) => v1.workers[':id'].drain.$post(idPath(id), settings), call),

    resumeWorker: (id, call) =>
      send((settings) => v1.workers[':id'].resume.$post(idPath(id), settings), call),
  }
}

function queuePath(name: string) {
  return { param: { name: encodeURIComponent(name) } }
}

// Calls of the client that concern the system: health, permissions, statistics, queues and workers.
import type { InferRequestType } from 'hono/client'
import { type Api, idPath, type RequestOptions, type SendCall } from './request.ts'

type StatsQuery = InferRequestType<Api['v1']['stats']['$get']>['query']
type CallOptions = Pick<RequestOptions, 'signal'>

export function createSystemCalls({ v1, health }: Api, send: SendCall) {
  return {
    /** Resolves when the API can accept tasks; rejects if it cannot within `retryForMs`. */
    ready: (call?: CallOptions) => send((settings) => health.ready.$get({}, settings), call),

    /** Returns name and scopes of the API key. */
    access: (call?: CallOptions) => send((settings) => v1.access.$get({}, settings), call),

    /**
     * Returns how many tasks wait and run now, and statistics of a time window that ends now: for example how
     * many tasks were accepted or failed in it, and how long tasks waited and ran.
     */
    stats: (query: StatsQuery = {}, call?: CallOptions) =>
      send((settings) => v1.stats.$get({ query }, settings), call),

    queues: (call?: CallOptions) => send((settings) => v1.queues.$get({}, settings), call),

    pauseQueue: (name: string, call?: CallOptions) =>
      send((settings) => v1.queues[':name'].pause.$post(queuePath(name), settings), call),

    resumeQueue: (name: string, call?: CallOptions) =>
      send((settings) => v1.queues[':name'].resume.$post(queuePath(name), settings), call),

    workers: (call?: CallOptions) => send((settings) => v1.workers.$get({}, settings), call),

    /**
     * Stops a worker from claiming tasks until `resumeWorker` or the end of its process. Running tasks
     * continue.
     */
    drainWorker: (id: string, call?: CallOptions) =>
      send((settings) => v1.workers[':id'].drain.$post(idPath(id), settings), call),

    resumeWorker: (id: string, call?: CallOptions) =>
      send((settings) => v1.workers[':id'].resume.$post(idPath(id), settings), call),
  }
}

function queuePath(name: string) {
  return { param: { name: encodeURIComponent(name) } }
}

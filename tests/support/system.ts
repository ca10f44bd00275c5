// Runs a whole system in this process for one test file: its own Redis and database, an API on a free port,
// and workers.
import { getConnInfo } from '@hono/node-server/conninfo'
import { createApp } from '../../src/api/app.ts'
import { type ApiDependencies, createApiDependencies } from '../../src/api/dependencies.ts'
import { type HttpServer, type ServerLimits, startServer } from '../../src/api/server.ts'
import type { AttemptView, TaskView } from '../../src/api/tasks/task-view.ts'
import { pause, startLoop } from '../../src/base/loop.ts'
import type { ApiKey } from '../../src/config.ts'
import { type Connections, openConnections } from '../../src/connections.ts'
import type { TaskDefinition } from '../../src/definitions/define.ts'
import type { Registry } from '../../src/definitions/registry.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import type { RateLimit } from '../../src/redis/rate-limiter.ts'
import type { TaskService } from '../../src/service/task-service.ts'
import { sql } from '../../src/store/drizzle.ts'
import type { HttpClientOptions } from '../../src/tasks/http/http-client.ts'
import { countActivity } from '../../src/telemetry/activity-counter.ts'
import { createEvents, type Events, type TelemetryEvents } from '../../src/telemetry/events.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startWorker, type Worker } from '../../src/worker/worker.ts'
import type { WorkerOptions } from '../../src/worker/worker-options.ts'
import config from '../../waggle.config.ts'
import { createSampleRegistry, createSampleServices } from './sample-project.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

export type FullTask = TaskView & { attempts: AttemptView[] }

export interface TestSystem {
  url: string
  redis: RedisServer
  database: TestDatabase
  connections: Connections
  service: TaskService
  registry: Registry
  /** The dependencies of the API. */
  dependencies: ApiDependencies
  events: Events
  /** Lists the payloads of all events of this name so far. */
  emitted<Name extends keyof TelemetryEvents>(name: Name): TelemetryEvents[Name][0][]
  startWorker(options?: Partial<WorkerOptions>): Worker
  /** Sends a JSON request and parses the JSON response. */
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; body: never }>
  submit(name: string, input: unknown, options?: object): Promise<TaskView>
  task(id: string): Promise<FullTask>
  /** Waits until the task fulfils a condition. @throws after 30 seconds */
  taskWhen(id: string, isReached: (task: FullTask) => boolean): Promise<FullTask>
  taskWhenFinal(id: string): Promise<FullTask>
  countByStatus(): Promise<Record<string, number>>
  stopApi(): Promise<void>
  startApi(): Promise<void>
  stop(): Promise<void>
}

export interface SystemOptions {
  /** Definitions in addition to those of the project. */
  definitions?: TaskDefinition[]
  /** Options of the first worker; false starts none. */
  worker?: Partial<WorkerOptions> | false
  smtpUrl?: string
  /** Without keys the API accepts every request. */
  apiKeys?: ApiKey[]
  rateLimit?: RateLimit
  poolSize?: number
  /** 256 KiB by default. */
  bodyLimitBytes?: number
  /** Returns the URL that the system uses instead of that of its database, e.g. the URL of a relay. */
  connectThrough?: (databaseUrl: string) => string
  trustedProxies?: number
  corsOrigins?: string[]
  /**
   * The addresses that `http_request` and callbacks may reach. By default they can reach no address of this
   * machine.
   */
  http?: HttpClientOptions
  webhookSecrets?: string[]
  webRoot?: string
  serverLimits?: ServerLimits
}

/** Worker options as in production, but with intervals and limits of at most a few seconds. */
const FAST = {
  concurrency: 20,
  queues: ['default'],
  missingAfterMs: 3_000,
  reconcileMs: 300,
  lostAfterMs: 500,
  version: 'test',
}

export async function startSystem(options: SystemOptions = {}): Promise<TestSystem> {
  const [redis, database] = await Promise.all([startRedisServer(), createTestDatabase()])
  const events = createEvents()
  const seen = recordAll(events)
  const connections = await openConnections(
    {
      databaseUrl: options.connectThrough?.(database.url) ?? database.url,
      redisUrl: redis.url,
      poolSize: options.poolSize,
      rateLimit: options.rateLimit,
    },
    events,
  )
  await connections.database.migrate()
  const { queue } = connections
  const registry = createSampleRegistry(options.definitions ?? [], options)
  const services = createSampleServices(options.smtpUrl)
  const metrics = createMetrics(events, {
    definitions: registry.all,
    summarizeQueues: async () => (await connections.sharedQueries.queues.read()).queues,
  })
  const activity = countActivity(events, { definitions: registry.all, add: connections.activityStore.add })
  const flushing = startLoop({ intervalMs: 200, body: activity.flush, onError: () => {} })
  const dependencies = createApiDependencies(connections, registry, events, {
    addressOf: (c) => getConnInfo(c).remote.address,
    apiKeys: options.apiKeys,
    trustedProxies: options.trustedProxies,
    corsOrigins: options.corsOrigins,
    listensOn: '127.0.0.1',
    bodyLimitBytes: options.bodyLimitBytes ?? 256 * 1024,
    workerMissingAfterMs: FAST.missingAfterMs,
    webRoot: options.webRoot,
    metrics,
  })
  const { service, watcher } = dependencies
  const app = createApp(dependencies, config.routes, services)
  let server: HttpServer | null = await startServer(app.fetch, {
    host: '127.0.0.1',
    port: 0,
    limits: options.serverLimits,
  })
  const { port } = server
  const workers: Worker[] = []
  const system: TestSystem = {
    url: `http://127.0.0.1:${port}`,
    redis,
    database,
    connections,
    service,
    registry,
    dependencies,
    events,
    emitted: (name) => seen.filter((entry) => entry.name === name).map((entry) => entry.payload as never),
    startWorker(workerOptions) {
      const worker = startWorker(connections, registry, events, { ...FAST, services, ...workerOptions })
      workers.push(worker)
      return worker
    },
    async request(method, path, body, headers = {}) {
      const response = await fetch(`${system.url}${path}`, {
        method,
        headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        redirect: 'manual',
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: parsed(text) as never }
    },
    async submit(name, input, submitOptions) {
      const { status, body } = await system.request('POST', `/v1/tasks/${name}`, {
        input,
        options: submitOptions,
      })
      if (status !== 202) throw new Error(`the submission got status ${status}: ${JSON.stringify(body)}`)
      return body
    },
    async task(id) {
      const { status, body } = await system.request('GET', `/v1/tasks/${id}`)
      if (status !== 200) throw new Error(`GET /v1/tasks/${id} got status ${status}`)
      return body
    },
    taskWhen: (id, isReached) => until(() => system.task(id), isReached),
    taskWhenFinal: (id) => system.taskWhen(id, ({ is_final }) => is_final),
    async countByStatus() {
      const rows = await connections.database.query<{ status: string; count: number }>(
        sql`select status, count(*)::int as count from tasks group by status`,
      )
      return Object.fromEntries(rows.map(({ status, count }) => [status, count]))
    },
    async stopApi() {
      await server?.stop(0)
      server = null
    },
    async startApi() {
      server = await startServer(app.fetch, { host: '127.0.0.1', port, limits: options.serverLimits })
    },
    async stop() {
      await watcher.stop()
      await server?.stop(0)
      await Promise.all(workers.map((worker) => worker.stop(0)))
      await flushing.stop()
      await connections.close()
      await Promise.all([redis.stop(), database.drop()])
    },
  }
  // Wait until the queue and the rate limiter are connected: real clients send no requests right after the
  // start.
  await queue.prepare('default')
  const { rateLimiter } = connections
  if (rateLimiter)
    await until(
      () => rateLimiter.count('startup'),
      (state) => state !== null,
    )
  if (options.worker !== false) system.startWorker(options.worker)
  return system
}

/**
 * Reads a value until it fulfils a condition. @throws after `seconds`, with the last value. The default is what a
 * machine needs that is ten times slower than usual, and is below the time limit of a test
 */
export async function until<T>(
  read: () => Promise<T>,
  isReached: (value: T) => boolean,
  seconds = 120,
): Promise<T> {
  const deadlineMs = Date.now() + seconds * 1_000
  for (;;) {
    const value = await read()
    if (isReached(value)) return value
    if (Date.now() > deadlineMs)
      throw new Error(`the condition was not met within ${seconds} seconds: ${JSON.stringify(value)}`)
    await pause(20)
  }
}

const RECORDED: (keyof TelemetryEvents)[] = [
  'request.finished',
  'enqueue.failed',
  'tasks.enqueued',
  'schedule.refused',
  'task.started',
  'task.finished',
  'task.refused',
  'attempt.lost',
  'slot.leaked',
  'loop.blocked',
  'worker.failed',
  'error.transient',
  'error.unexpected',
]

function recordAll(events: Events) {
  const seen: { name: keyof TelemetryEvents; payload: unknown }[] = []
  for (const name of RECORDED) events.on(name, (payload: unknown) => seen.push({ name, payload }))
  return seen
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

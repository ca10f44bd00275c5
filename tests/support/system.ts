// A whole system in this process for one test file: its own Redis and database, an API on a free port, and workers.
import { getConnInfo } from '@hono/node-server/conninfo'
import { createApp } from '../../src/api/app.ts'
import { type ApiDependencies, createApiDependencies } from '../../src/api/dependencies.ts'
import { type HttpServer, type ServerLimits, startServer } from '../../src/api/server.ts'
import type { AttemptView, TaskView } from '../../src/api/tasks/task-view.ts'
import { pause, startLoop } from '../../src/base/loop.ts'
import type { ApiKey } from '../../src/config.ts'
import { type Connections, openConnections } from '../../src/connections.ts'
import type { TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry, type Registry } from '../../src/definitions/registry.ts'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import type { RateLimit } from '../../src/redis/rate-limiter.ts'
import type { TaskService } from '../../src/service/task-service.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createHttpClient, type HttpClientOptions } from '../../src/tasks/http/http-client.ts'
import { createWebhookSigner } from '../../src/tasks/http/webhook-signature.ts'
import { createMailer } from '../../src/tasks/mail.ts'
import { createTaskDefinitions } from '../../src/tasks/task-definitions.ts'
import { countActivity } from '../../src/telemetry/activity-counter.ts'
import { createEvents, type Events, type TelemetryEvents } from '../../src/telemetry/events.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startWorker, type Worker, type WorkerOptions } from '../../src/worker/worker.ts'
import { createTestDatabase, type TestDatabase } from './test-database.ts'

export type FullTask = TaskView & { attempts: AttemptView[] }

export interface TestSystem {
  url: string
  redis: RedisServer
  database: TestDatabase
  connections: Connections
  service: TaskService
  registry: Registry
  /** What the API is made of. */
  dependencies: ApiDependencies
  events: Events
  /** Everything announced so far under this name. */
  announced<Name extends keyof TelemetryEvents>(name: Name): TelemetryEvents[Name][0][]
  startWorker(options?: Partial<WorkerOptions>): Worker
  /** JSON in, JSON out. */
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; body: never }>
  submit(name: string, input: unknown, options?: object): Promise<TaskView>
  task(id: string): Promise<FullTask>
  /** Waits for a state, at most 30 seconds. */
  taskWhen(id: string, isReached: (task: FullTask) => boolean): Promise<FullTask>
  taskWhenFinal(id: string): Promise<FullTask>
  countByStatus(): Promise<Record<string, number>>
  stopApi(): Promise<void>
  startApi(): Promise<void>
  stop(): Promise<void>
}

export interface SystemOptions {
  /** Beside the ones that the project comes with. */
  definitions?: TaskDefinition[]
  /** Options of the first worker; false starts none. */
  worker?: Partial<WorkerOptions> | false
  smtpUrl?: string
  /** Undefined leaves the API open. */
  apiKeys?: ApiKey[]
  rateLimit?: RateLimit
  trustedProxies?: number
  corsOrigins?: string[]
  /** Which addresses `http_request` may go to; nothing on this machine where it is left out. */
  http?: HttpClientOptions
  webhookSecrets?: string[]
  webRoot?: string
  serverLimits?: ServerLimits
}

/** As in production, but with seconds where it has tens of them. */
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
    { databaseUrl: database.url, redisUrl: redis.url, rateLimit: options.rateLimit },
    events,
  )
  await connections.database.migrate()
  const { queue } = connections
  const sendMail = createMailer(options.smtpUrl, 'Waggle <waggle@example.com>')
  const services = {
    sendMail,
    http: createHttpClient(options.http),
    signWebhook: createWebhookSigner(options.webhookSecrets ?? []),
  }
  const registry = createRegistry([...createTaskDefinitions(services), ...(options.definitions ?? [])])
  const metrics = createMetrics(events, {
    definitions: registry.all,
    summarizeQueues: connections.sharedQueries.queues.read,
  })
  const activity = countActivity(events, { definitions: registry.all, add: connections.activityStore.add })
  const flushing = startLoop({ intervalMs: 200, body: activity.flush, onError: () => {} })
  const dependencies = createApiDependencies(connections, registry, events, {
    addressOf: (c) => getConnInfo(c).remote.address,
    apiKeys: options.apiKeys,
    trustedProxies: options.trustedProxies,
    corsOrigins: options.corsOrigins,
    listensOn: '127.0.0.1',
    bodyLimitBytes: 256 * 1024,
    workerMissingAfterMs: FAST.missingAfterMs,
    webRoot: options.webRoot,
    metrics,
  })
  const { service, watcher } = dependencies
  const app = createApp(dependencies)
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
    announced: (name) => seen.filter((entry) => entry.name === name).map((entry) => entry.payload as never),
    startWorker(workerOptions) {
      const worker = startWorker(connections, registry, events, { ...FAST, ...workerOptions })
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
      if (status !== 202) throw new Error(`submission answered ${status}: ${JSON.stringify(body)}`)
      return body
    },
    async task(id) {
      const { status, body } = await system.request('GET', `/v1/tasks/${id}`)
      if (status !== 200) throw new Error(`GET /v1/tasks/${id} answered ${status}`)
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
  // As long after its start as any real client comes.
  await queue.prepare('default')
  const { rateLimiter } = connections
  if (rateLimiter)
    await until(
      () => rateLimiter.count('nobody'),
      (state) => state !== null,
    )
  if (options.worker !== false) system.startWorker(options.worker)
  return system
}

/** Asks until the answer is as wanted. @throws after 30 seconds, or so many, with the last answer */
export async function until<T>(
  ask: () => Promise<T>,
  isReached: (answer: T) => boolean,
  seconds = 30,
): Promise<T> {
  const deadlineMs = Date.now() + seconds * 1_000
  for (;;) {
    const answer = await ask()
    if (isReached(answer)) return answer
    if (Date.now() > deadlineMs)
      throw new Error(`not reached in ${seconds} seconds: ${JSON.stringify(answer)}`)
    await pause(20)
  }
}

const RECORDED: (keyof TelemetryEvents)[] = [
  'request.finished',
  'enqueue.failed',
  'tasks.enqueued',
  'task.started',
  'task.finished',
  'task.refused',
  'task.lost',
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

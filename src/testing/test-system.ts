// Runs a whole system in this process, for integration tests of a project: API, workers, Redis and Postgres.
import { closeParts, openParts, type Parts, startActivityFlush } from '../assembly.ts'
import { createClient } from '../client/client.ts'
import { workerOptionsOf } from '../commands/run-worker.ts'
import { serveApi } from '../commands/serve-api.ts'
import { type Config, type Environment, readConfig } from '../config.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import type { Services } from '../definitions/services.ts'
import { startRedisServer } from '../embedded/redis-server.ts'
import type { WaggleConfig } from '../project/define-config.ts'
import type { Project } from '../project/load-project.ts'
import { createOwnDatabase, type OwnDatabase } from '../store/test-database.ts'
import { startWorker, type Worker } from '../worker/worker.ts'
import { onlyGiven } from './given-services.ts'
import { createTestClock, type TestClock } from './test-clock.ts'

export interface TestSystemOptions<Given extends WaggleConfig> {
  /** The default export of `waggle.config.ts`. */
  config: Given
  /**
   * Environment variables for the settings of Waggle and of the project. Those of this process are not read. By
   * default, the worker serves the queues of all definitions, and only errors are logged.
   */
  settings?: Environment
  /** Services, or fakes of them, that replace those that the project opens. */
  services?: Partial<Services>
  /**
   * False does not open the services of the project, so that its settings are not needed. Then the use of a service
   * that is not in `services` throws an error that names it.
   */
  openServices?: boolean
  /**
   * URL of a Postgres server on which the system creates a database of its own, and drops it at the end. By default,
   * it uses PGlite in memory.
   */
  databaseUrl?: string
  /** Number of workers; 1 by default. With 0, tasks wait. */
  workers?: number
}

export interface TestSystem<Given extends WaggleConfig> extends AsyncDisposable {
  /** URL of the API. */
  url: string
  /** A client of the API, with the types of the project. */
  client: ReturnType<typeof createClient<Given>>
  /** The services that tasks get. */
  services: Services
  clock: TestClock
  /** Stops the system and removes its data. Running tasks are aborted. */
  stop(): Promise<void>
}

/**
 * Starts a system with an empty database. Definitions with `isolate` run in this process too, so that they use the
 * given services.
 * @throws Error if the configuration or a setting is not valid, or a server does not start
 */
export async function startTestSystem<const Given extends WaggleConfig>(
  options: TestSystemOptions<Given>,
): Promise<TestSystem<Given>> {
  const project = projectOf(options)
  const config = readConfig(settingsOf(options), [], project.settings)
  const opened: (() => Promise<void>)[] = []
  const stop = async () => {
    const errors: unknown[] = []
    // What was opened last is closed first. An error does not keep the rest open.
    for (const close of opened.splice(0).reverse()) await close().catch((error) => errors.push(error))
    if (errors.length > 0) throw errors[0]
  }
  try {
    const redis = await startRedisServer()
    opened.push(redis.stop)
    const database = await openDatabaseFor(options)
    opened.push(database.drop)
    const parts = await openParts(
      config,
      project,
      { role: 'test' },
      { databaseUrl: database.url, redisUrl: redis.url },
    )
    opened.push(() => closeParts(parts))
    const services = servicesOf(parts, options)
    parts.services = { ...parts.services, services }
    const { connections } = parts
    await connections.database.migrate()
    const api = await serveApi(config, parts)
    opened.push(startActivityFlush(parts).stop, () => api.stop())
    await connections.queue.prepare('default')
    const workers = Array.from({ length: options.workers ?? 1 }, () => startTestWorker(config, parts))
    const { clock, reset } = createTestClock(connections.database, () => {
      for (const worker of workers) worker.wake()
    })
    opened.push(async () => {
      await Promise.all(workers.map((worker) => worker.stop(0)))
      reset()
    })
    const client = createClient<Given>({ baseUrl: api.url })
    return { url: api.url, client, services, clock, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The project, without its services if the test does not open them. */
function projectOf({ config, openServices = true }: TestSystemOptions<WaggleConfig>): Project {
  const { services, ...rest } = config
  const used: WaggleConfig = {
    ...rest,
    tasks: config.tasks.map((task): TaskDefinition => ({ ...task, isolate: undefined })),
    ...(openServices && { services }),
  }
  return {
    file: 'waggle.config.ts',
    folder: process.cwd(),
    config: used,
    settings: used.services?.settings,
  }
}

function settingsOf({ config, settings }: TestSystemOptions<WaggleConfig>): Environment {
  const queues = new Set(['default', ...config.tasks.map(({ queue }) => queue)])
  return { WORKER_QUEUES: [...queues].join(), LOG_LEVEL: 'error', ...settings, PORT: '0' }
}

async function openDatabaseFor({ databaseUrl }: TestSystemOptions<WaggleConfig>): Promise<OwnDatabase> {
  return databaseUrl === undefined ? { url: 'pglite:', drop: async () => {} } : createOwnDatabase(databaseUrl)
}

function servicesOf(
  { services: { services: opened } }: Parts,
  { services = {}, openServices = true }: TestSystemOptions<WaggleConfig>,
): Services {
  return openServices ? { ...opened, ...services } : onlyGiven(services)
}

function startTestWorker(config: Config, parts: Parts): Worker {
  const { connections, registry, events } = parts
  return startWorker(connections, registry, events, { role: 'test', ...workerOptionsOf(config, parts) })
}

// Runs one of the commands of Waggle: dev (API and worker in one process), api, worker, migrate or keys.
// Apart from this file and lambda.ts, no file runs anything on import.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { getConnInfo } from '@hono/node-server/conninfo'
import packageJson from '../package.json' with { type: 'json' }
import type { HealthDependencies } from './api/dependencies.ts'
import { createHealthApp } from './api/health-app.ts'
import { createApiKey } from './api/http/api-keys.ts'
import { isLoopback } from './api/http/same-site.ts'
import { type HttpServer, startServer } from './api/server.ts'
import {
  assembleApi,
  openParts,
  type Parts,
  refuseUnsuitableDatabase,
  startActivityFlush,
} from './assembly.ts'
import { messageOf } from './base/errors.ts'
import { pause } from './base/loop.ts'
import { type Config, readConfig, SCOPES } from './config.ts'
import { startEmbedded } from './embedded/embedded.ts'
import { openDatabase } from './store/database.ts'
import { catchStrayErrors } from './worker/attempts/stray-errors.ts'
import { startWorker, type Worker } from './worker/worker.ts'
import { lowerPriority } from './worker/worker-priority.ts'

const COMMANDS: Record<string, () => Promise<void>> = { dev, api, worker, migrate, keys }
const WEB_ROOT = fileURLToPath(new URL('../web/dist', import.meta.url))
// How long `dev` waits for running tasks when it stops. It is short, so that Ctrl-C does not wait for long
// tasks; they are released and run again at the next start.
const DEV_GRACE_MS = 2_000
const DAY_MS = 86_400_000
// How long `dev` waits for Redis before it reports that it is ready. With Redis, the first task is enqueued
// immediately; the embedded Redis answers within milliseconds. The wait is limited, because a Redis from
// REDIS_URL can be unreachable, and the API works without it.
const REDIS_WAIT_MS = 2_000

await main(process.argv[2] ?? 'dev')

async function main(name: string) {
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (!command)
      throw new Error(`Unknown command "${name}": expected one of ${Object.keys(COMMANDS).join(', ')}`)
    await command()
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`)
    process.exit(1)
  }
}

async function dev() {
  const given = readConfig(process.env, ['API_KEYS'])
  const config: Config = { ...given, LOG_LEVEL: process.env.LOG_LEVEL ? given.LOG_LEVEL : 'warn' }
  const embedded = await startEmbedded(config.DATA_DIR, {
    databaseUrl: config.DATABASE_URL,
    redisUrl: config.REDIS_URL,
  })
  const { databaseUrl, redisUrl } = embedded
  const parts = await openParts(config, 'dev', { databaseUrl, redisUrl })
  const { connections } = parts
  await connections.database.migrate()
  const servers = await startApi(config, parts, existsSync(WEB_ROOT) ? WEB_ROOT : undefined)
  const worker = startConfiguredWorker(config, parts, 'dev')
  const activity = startActivityFlush(parts)
  await Promise.race([connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])
  const stopAndExit = stopOnSignal(async () => {
    await servers.stop()
    await worker.stop(DEV_GRACE_MS)
    await activity.stop()
    await connections.close()
    await embedded.stop()
  })
  void worker.failed.then(reportFailure).then(() => stopAndExit(1))
  process.stdout.write(`Waggle is ready: ${servers.url}\n`)
}

async function api() {
  const config = readConfig(process.env, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'])
  const parts = await openParts(config, 'api')
  await refuseUnsuitableDatabase(parts)
  const servers = await startApi(config, parts)
  const activity = startActivityFlush(parts)
  stopOnSignal(async () => {
    await servers.stop()
    await activity.stop()
    await parts.connections.close()
  })
  process.stdout.write(`API is ready: ${servers.url}\n`)
}

async function worker() {
  const config = readConfig(process.env, ['DATABASE_URL', 'REDIS_URL'])
  lowerPriority(config.WORKER_NICE)
  // A worker serves no API requests, so it needs no rate limiter.
  const parts = await openParts({ ...config, RATE_LIMIT: undefined }, 'worker')
  await refuseUnsuitableDatabase(parts)
  let worker: Worker | null = null
  const { connections } = parts
  const { database, queue } = connections
  // The health server is started before the worker: if its port is in use, the process ends without claiming
  // tasks.
  const server = await startHealthServer(config, parts, {
    pingDatabase: database.ping,
    isRedisReady: () => config.WORKER_QUEUES.every((name) => queue.isReady(name)),
    isLive: () => worker === null || worker.isBeating(),
  })
  const activity = startActivityFlush(parts)
  // Listens to signals before the worker starts, because it logs that it has started.
  const stopAndExit = stopOnSignal(async () => {
    await worker?.stop(config.SHUTDOWN_GRACE_SECONDS * 1_000)
    await activity.stop()
    await server?.stop()
    await connections.close()
  })
  worker = startConfiguredWorker(config, parts, 'worker')
  void worker.failed.then(() => stopAndExit(1))
}

async function migrate() {
  const config = readConfig(process.env, ['DATABASE_URL'])
  const database = await openDatabase(config.DATABASE_URL ?? '')
  await database.migrate()
  await database.close()
  process.stdout.write('The tables are up to date\n')
}

/** Creates an API key, and prints it with its entry for API_KEYS. The key is not stored anywhere. */
async function keys() {
  const { positionals, values } = parseArgs({
    args: process.argv.slice(3),
    allowPositionals: true,
    options: { name: { type: 'string' }, scope: { type: 'string', multiple: true } },
  })
  const { name = '', scope: scopes = [] } = values
  const unknown = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope))
  if (positionals.join() !== 'create' || !/^[\w.-]{1,64}$/.test(name) || scopes.length === 0 || unknown) {
    throw new Error(`Usage: npm run keys -- create --name <letters, digits, . _ -> --scope ${SCOPES.join('|')}
  --scope may be given several times`)
  }
  const { key, entry } = createApiKey(
    name,
    SCOPES.filter((scope) => scopes.includes(scope)),
  )
  process.stdout.write(`The key, for the client. It is not stored and not shown again:
  ${key}
Its entry, for API_KEYS (entries are separated by commas):
  ${entry}
`)
}

async function startApi(config: Config, parts: Parts, webRoot?: string) {
  const { app, dependencies } = assembleApi(config, parts, {
    addressOf: (c) => getConnInfo(c).remote.address,
    listensOn: config.HOST,
    webRoot,
  })
  const { HOST: host, PORT: port, API_KEYS: apiKeys } = config
  const server = await startServer(app.fetch, { host, port })
  if (!apiKeys && !isLoopback(host))
    process.stderr.write(
      `Warning: API_KEYS is not set. Every client that can reach ${host} can use the API\n`,
    )
  const healthServer = await startHealthServer(config, parts, dependencies.health)
  return {
    url: `http://${host === '0.0.0.0' ? 'localhost' : host}:${server.port}`,
    async stop() {
      await dependencies.watcher.stop()
      await Promise.all([server.stop(), healthServer?.stop()])
    },
  }
}

/**
 * Starts the server for `/health` and `/metrics` on HEALTH_PORT. Resolves with undefined if that is unset.
 */
async function startHealthServer(
  config: Config,
  { metrics, events }: Parts,
  health: HealthDependencies,
): Promise<HttpServer | undefined> {
  const { HOST: host, HEALTH_PORT: port } = config
  if (port === undefined) return undefined
  return startServer(createHealthApp(health, metrics, events).fetch, { host, port })
}

function startConfiguredWorker(
  config: Config,
  { connections, registry, events }: Parts,
  role: string,
): Worker {
  const worker = startWorker(connections, registry, events, {
    queues: config.WORKER_QUEUES,
    concurrency: config.WORKER_CONCURRENCY,
    missingAfterMs: config.WORKER_MISSING_AFTER_SECONDS * 1_000,
    keptMs: config.RETENTION_DAYS === 0 ? undefined : config.RETENTION_DAYS * DAY_MS,
    version: packageJson.version,
    role,
  })
  catchStrayErrors(worker.handleStrayError)
  return worker
}

/** Writes for a person at a terminal why `dev` stops. The log of the worker contains the details. */
function reportFailure(reason: string) {
  process.stderr.write(`Waggle stops: ${reason}. Unfinished tasks continue at the next start\n`)
}

// One Ctrl-C can arrive twice: the terminal sends it to all processes in the foreground, and npm, which is
// one of them, sends it to this process again. The same happens to a SIGTERM from systemd. On a busy machine
// npm can be late. A person who wants to end the process immediately presses Ctrl-C again after this time.
const SAME_SIGNAL_MS = 1_000

/**
 * Calls `stop` at the first SIGTERM or SIGINT and then ends the process. A second one ends it immediately,
 * unless it arrives within SAME_SIGNAL_MS: then it counts as the first one.
 * @returns a function that stops the process in the same way, and exits with the given code
 */
function stopOnSignal(stop: () => Promise<void>): (code: number) => void {
  let signalledAtMs: number | null = null
  let isStopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (signalledAtMs !== null && performance.now() - signalledAtMs > SAME_SIGNAL_MS) process.exit(1)
      signalledAtMs ??= performance.now()
      stopAndExit(0)
    })
  }
  return stopAndExit

  function stopAndExit(code: number) {
    if (isStopping) return
    isStopping = true
    stop().then(
      () => process.exit(code),
      (error) => {
        process.stderr.write(`Could not stop in order: ${messageOf(error)}\n`)
        process.exit(1)
      },
    )
  }
}

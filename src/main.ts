// The commands: dev (everything in one process), api, worker, migrate, keys. The only file that runs on import.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { getConnInfo } from '@hono/node-server/conninfo'
import packageJson from '../package.json' with { type: 'json' }
import { createApiKey } from './api/api-keys.ts'
import { createApp } from './api/app.ts'
import { createApiDependencies } from './api/dependencies.ts'
import { createHealthApp } from './api/health-routes.ts'
import { type HttpServer, startServer } from './api/server.ts'
import { type Config, readConfig, SCOPES } from './config.ts'
import { type Connections, openConnections } from './connections.ts'
import { startEmbedded } from './embedded/embedded.ts'
import { messageOf } from './errors.ts'
import { pause } from './loop.ts'
import type { RateLimit } from './rate-limiter.ts'
import { createMailer } from './tasks/mail.ts'
import { createRegistry, createTaskDefinitions } from './tasks/registry.ts'
import { createEvents, type Events } from './telemetry/events.ts'
import { logEvents } from './telemetry/log.ts'
import { startWorker, type Worker } from './worker/worker.ts'

const COMMANDS: Record<string, () => Promise<void>> = { dev, api, worker, migrate, keys }
const WEB_ROOT = fileURLToPath(new URL('../web/dist', import.meta.url))
// In development a long task does not hold up Ctrl-C: it is put back and goes on at the next start.
const DEV_GRACE_MS = 2_000
const REDIS_PATIENCE_MS = 2_000

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
  const config = readConfig(process.env, ['API_KEYS'])
  const events = startEvents(
    { ...config, LOG_LEVEL: process.env.LOG_LEVEL ? config.LOG_LEVEL : 'warn' },
    'dev',
  )
  const embedded = await startEmbedded(config.DATA_DIR, {
    databaseUrl: config.DATABASE_URL,
    redisUrl: config.REDIS_URL,
  })
  const connections = await openConnections(
    { ...embedded, poolSize: config.DATABASE_POOL_SIZE, rateLimit: config.RATE_LIMIT },
    events,
  )
  await connections.database.migrate()
  const servers = await startApi(config, connections, events, existsSync(WEB_ROOT) ? WEB_ROOT : undefined)
  const worker = startConfiguredWorker(config, connections, events)
  // A Redis of somebody else's may be away; ours is there in a moment, and then nothing is late.
  await Promise.race([connections.queue.prepare('default'), pause(REDIS_PATIENCE_MS)])
  stopOnSignal(async () => {
    await servers.stop()
    await worker.stop(DEV_GRACE_MS)
    await connections.close()
    await embedded.stop()
  })
  process.stdout.write(`Waggle is ready: ${servers.url}\n`)
}

async function api() {
  const config = readConfig(process.env, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'])
  const events = startEvents(config, 'api')
  const connections = await openConfigured(config, events, config.RATE_LIMIT)
  const servers = await startApi(config, connections, events)
  stopOnSignal(async () => {
    await servers.stop()
    await connections.close()
  })
  process.stdout.write(`API is ready: ${servers.url}\n`)
}

async function worker() {
  const config = readConfig(process.env, ['DATABASE_URL', 'REDIS_URL'])
  const events = startEvents(config, 'worker')
  const connections = await openConfigured(config, events)
  const worker = startConfiguredWorker(config, connections, events)
  stopOnSignal(async () => {
    await worker.stop(config.SHUTDOWN_GRACE_SECONDS * 1_000)
    await connections.close()
  })
}

async function migrate() {
  const config = readConfig(process.env, ['DATABASE_URL'])
  const { database, close } = await openConfigured(config, createEvents())
  await database.migrate()
  await close()
  process.stdout.write('The tables are up to date\n')
}

/** Makes an API key: shown once, and kept nowhere. */
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
  process.stdout.write(`The key, for the client; it is shown this once and kept nowhere:
  ${key}
Its entry, for API_KEYS (entries are separated by commas):
  ${entry}
`)
}

function startEvents(config: Config, role: string): Events {
  const events = createEvents()
  logEvents(events, config.LOG_LEVEL, role)
  return events
}

function openConfigured(config: Config, events: Events, rateLimit?: RateLimit): Promise<Connections> {
  const { DATABASE_URL: databaseUrl = '', REDIS_URL: redisUrl = '', DATABASE_POOL_SIZE: poolSize } = config
  return openConnections({ databaseUrl, redisUrl, poolSize, rateLimit }, events)
}

async function startApi(config: Config, connections: Connections, events: Events, webRoot?: string) {
  const dependencies = createApiDependencies(connections, createConfiguredRegistry(config), events, {
    apiKeys: config.API_KEYS,
    trustedProxies: config.TRUSTED_PROXIES,
    corsOrigins: config.CORS_ORIGINS,
    addressOf: (c) => getConnInfo(c).remote.address,
    bodyLimitBytes: config.BODY_LIMIT_BYTES,
    workerSilentMs: config.WORKER_SILENCE_SECONDS * 1_000,
    webRoot,
  })
  const app = createApp(dependencies)
  const { HOST: host, PORT: port, HEALTH_PORT: healthPort } = config
  const servers: HttpServer[] = [await startServer(app.fetch, { host, port })]
  if (healthPort !== undefined) {
    servers.push(
      await startServer(createHealthApp(dependencies.health, events).fetch, { host, port: healthPort }),
    )
  }
  return {
    url: `http://${host === '0.0.0.0' ? 'localhost' : host}:${servers[0]?.port}`,
    async stop() {
      await dependencies.watcher.stop()
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

function startConfiguredWorker(config: Config, connections: Connections, events: Events): Worker {
  return startWorker(connections, createConfiguredRegistry(config), events, {
    queues: config.WORKER_QUEUES,
    concurrency: config.WORKER_CONCURRENCY,
    silentMs: config.WORKER_SILENCE_SECONDS * 1_000,
    version: packageJson.version,
  })
}

function createConfiguredRegistry(config: Config) {
  const sendMail = createMailer(config.SMTP_URL, config.MAIL_FROM)
  return createRegistry(createTaskDefinitions({ sendMail }))
}

/** The first SIGTERM or SIGINT stops in order, the second at once. */
function stopOnSignal(stop: () => Promise<void>) {
  let isStopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (isStopping) process.exit(1)
      isStopping = true
      stop().then(
        () => process.exit(0),
        (error) => {
          process.stderr.write(`Could not stop in order: ${messageOf(error)}\n`)
          process.exit(1)
        },
      )
    })
  }
}

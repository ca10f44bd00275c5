// The command `dev` (`npm start`): API, worker and page, with an embedded Postgres and Redis unless the
// configuration names servers. One process, or a supervisor and its processes.
import { closeParts, openParts, startActivityFlush } from '../assembly.ts'
import { pause } from '../base/loop.ts'
import type { Config, Environment } from '../config.ts'
import { startEmbedded } from '../embedded/embedded.ts'
import { stopOnSignal } from '../processes/stop-signals.ts'
import type { Project } from '../project/load-project.ts'
import { REDIS_WAIT_MS, webRoot } from './api-process.ts'
import { warnWithoutKeys } from './api-warning.ts'
import { startHealthServer } from './health-server.ts'
import { migrateAt, migrateDatabase } from './migrate.ts'
import { readProjectConfig } from './project-config.ts'
import { runWorker } from './run-worker.ts'
import { serveApi } from './serve-api.ts'

// How long `dev` waits for running tasks when it stops. It is short, so that Ctrl-C does not wait for long
// tasks; they are released and run again at the next start.
const DEV_GRACE_SECONDS = 2

export async function dev(environment: Environment): Promise<void> {
  const settings = { ...environment, LOG_LEVEL: environment.LOG_LEVEL || 'warn' }
  const { config, project } = await readProjectConfig(settings, ['API_KEYS'])
  if (config.API_PROCESSES === 1 && config.WORKER_PROCESSES === 1) await runAlone(config, project)
  else await runSupervised(config, environment)
}

async function runAlone(config: Config, project: Project): Promise<void> {
  const embedded = await startEmbedded(config.DATA_DIR, {
    databaseUrl: config.DATABASE_URL,
    redisUrl: config.REDIS_URL,
  })
  const { databaseUrl, redisUrl } = embedded
  const parts = await openParts(config, project, { role: 'dev' }, { databaseUrl, redisUrl })
  const { connections } = parts
  await migrateDatabase(connections.database, config)
  const server = await serveApi(config, parts, { webRoot: webRoot() })
  warnWithoutKeys(config)
  const healthServer = await startHealthServer(config, parts, server.health)
  const worker = runWorker(config, parts, { role: 'dev' })
  const activity = startActivityFlush(parts)
  await Promise.race([connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])
  const stopAndExit = stopOnSignal(async () => {
    await Promise.all([server.stop(), healthServer?.stop()])
    await worker.stop(DEV_GRACE_SECONDS * 1_000)
    await activity.stop()
    await closeParts(parts)
    await embedded.stop()
  })
  void worker.failed.then(reportFailure).then(() => stopAndExit(1))
  process.stdout.write(`Waggle is ready: ${server.url}\n`)
}

async function runSupervised(config: Config, environment: Environment): Promise<void> {
  const databaseUrl = requireServer(config)
  // The supervisor is imported only here, because one process needs none.
  const { supervise } = await import('./supervise.ts')
  const embedded = await startEmbedded(config.DATA_DIR, { databaseUrl, redisUrl: config.REDIS_URL })
  await migrateAt(databaseUrl, config)
  const settings: Environment = {
    REDIS_URL: embedded.redisUrl,
    LOG_LEVEL: config.LOG_LEVEL,
    SHUTDOWN_GRACE_SECONDS: String(DEV_GRACE_SECONDS),
  }
  const { url } = await supervise({
    name: 'dev',
    config: { ...config, SHUTDOWN_GRACE_SECONDS: DEV_GRACE_SECONDS },
    environment: { ...environment, ...settings },
    roles: ['api', 'worker'],
    dev: true,
    onStopped: embedded.stop,
  })
  warnWithoutKeys(config)
  process.stdout.write(`Waggle is ready: ${url}\n`)
}

/** @throws Error if the configuration has several processes and the embedded database */
function requireServer({ DATABASE_URL: url }: Config): string {
  if (url && !url.startsWith('pglite:')) return url
  throw new Error(
    'API_PROCESSES or WORKER_PROCESSES is above 1, which needs a Postgres server: only one process can use the embedded ' +
      'database. Set DATABASE_URL to postgres://…, or both settings to 1',
  )
}

/** Writes for a person at a terminal why `dev` stops. The log of the worker contains the details. */
function reportFailure(reason: string) {
  process.stderr.write(`Waggle stops: ${reason}. Unfinished tasks continue at the next start\n`)
}

// The command `dev` (`npm start`): API, worker and page, with an embedded Postgres and Redis unless the
// configuration names servers. One process, or a supervisor and its processes.
import { startServer } from '../api/server.ts'
import { openParts, reopenParts } from '../assembly.ts'
import { messageOf } from '../base/errors.ts'
import { pause } from '../base/loop.ts'
import type { Config, Environment } from '../config.ts'
import { startEmbedded } from '../embedded/embedded.ts'
import { stopOnSignal } from '../processes/stop-signals.ts'
import type { Project } from '../project/load-project.ts'
import { type ProjectModules, trackProjectModules } from '../project/project-modules.ts'
import { catchStrayErrors } from '../worker/attempts/stray-errors.ts'
import { REDIS_WAIT_MS } from './api-process.ts'
import { warnWithoutKeys } from './api-warning.ts'
import { type Generation, startGeneration } from './dev-generation.ts'
import { type Reload, responseOfReload, startReload, withVersion } from './dev-reload.ts'
import { startHealthServer } from './health-server.ts'
import { migrateAt, migrateDatabase } from './migrate.ts'
import { readProjectConfig } from './project-config.ts'
import { urlOf } from './serve-api.ts'

// How long `dev` waits for running tasks when it stops. It is short, so that Ctrl-C does not wait for long
// tasks; they are released and run again at the next start.
const DEV_GRACE_SECONDS = 2
// How many generations are remembered, to which an error of code that still runs can belong.
const MAX_GENERATIONS = 20

export async function dev(environment: Environment): Promise<void> {
  const modules = trackProjectModules()
  const readAgain = () => readProjectConfig(withDevDefaults(environment), ['API_KEYS'])
  const { config, project } = await readAgain()
  if (config.API_PROCESSES === 1 && config.WORKER_PROCESSES === 1)
    await runAlone(config, project, modules, readAgain)
  else await runSupervised(config, environment, modules, readAgain)
}

function withDevDefaults(environment: Environment): Environment {
  return { ...environment, LOG_LEVEL: environment.LOG_LEVEL || 'warn' }
}

async function runAlone(
  config: Config,
  project: Project,
  modules: ProjectModules,
  readAgain: () => Promise<{ config: Config; project: Project }>,
): Promise<void> {
  const embedded = await startEmbedded(config.DATA_DIR, {
    databaseUrl: config.DATABASE_URL,
    redisUrl: config.REDIS_URL,
  })
  const { databaseUrl, redisUrl } = embedded
  const parts = await openParts(config, project, { role: 'dev' }, { databaseUrl, redisUrl })
  const { connections } = parts
  await migrateDatabase(connections.database, config)
  let current = startGeneration(config, parts)
  const generations = [current]
  const server = await startServer(
    (request, env) =>
      responseOfReload(request, reload.state(), config) ??
      withVersion(current.fetch(request, env), reload.state()),
    { host: config.HOST, port: config.PORT },
  )
  warnWithoutKeys(config)
  const healthServer = await startHealthServer(config, parts, current.health)
  await Promise.race([connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])
  // An error in code of an earlier generation must not stop the worker of this one.
  catchStrayErrors((error) => {
    const owner = generations.find(({ worker }) => worker.isInAttempt()) ?? current
    owner.worker.handleStrayError(error)
  })
  const reload = startReload(modules, async () => {
    const next = await readAgain()
    const nextParts = await reopenParts(next.config, next.project, { role: 'dev' }, { connections })
    const last = current
    current = startGeneration(next.config, nextParts)
    generations.unshift(current)
    generations.splice(MAX_GENERATIONS)
    stopOnFailure(current)
    await last.stop(0).catch(reportLeftover)
  })
  const stopAndExit = stopOnSignal(async () => {
    await reload.stop()
    await Promise.all([server.stop(), healthServer?.stop()])
    await current.stop(DEV_GRACE_SECONDS * 1_000)
    await connections.close()
    await embedded.stop()
  })
  stopOnFailure(current)
  process.stdout.write(`Waggle is ready: ${urlOf(config.HOST, server.port)}\n`)

  function stopOnFailure({ worker }: Generation) {
    void worker.failed.then(reportFailure).then(() => stopAndExit(1))
  }
}

async function runSupervised(
  config: Config,
  environment: Environment,
  modules: ProjectModules,
  readAgain: () => Promise<unknown>,
): Promise<void> {
  const databaseUrl = requireServer(config)
  // The supervisor is imported only here, because one process needs none.
  const { supervise } = await import('./supervise.ts')
  const embedded = await startEmbedded(config.DATA_DIR, { databaseUrl, redisUrl: config.REDIS_URL })
  await migrateAt(databaseUrl, config)
  let reload: Reload | undefined
  const settings: Environment = {
    REDIS_URL: embedded.redisUrl,
    LOG_LEVEL: config.LOG_LEVEL,
    SHUTDOWN_GRACE_SECONDS: String(DEV_GRACE_SECONDS),
  }
  const { url, restart } = await supervise({
    name: 'dev',
    config: { ...config, SHUTDOWN_GRACE_SECONDS: DEV_GRACE_SECONDS },
    environment: { ...environment, ...settings },
    roles: ['api', 'worker'],
    dev: true,
    async onStopped() {
      await reload?.stop()
      await embedded.stop()
    },
  })
  reload = startReload(modules, async () => {
    // Code that cannot be loaded is found here, and the processes stay.
    await readAgain()
    await restart()
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

function reportLeftover(error: unknown) {
  process.stderr.write(`The last version of the project could not be stopped in order: ${messageOf(error)}\n`)
}

/** Writes for a person at a terminal why `dev` stops. The log of the worker contains the details. */
function reportFailure(reason: string) {
  process.stderr.write(`Waggle stops: ${reason}. Unfinished tasks continue at the next start\n`)
}

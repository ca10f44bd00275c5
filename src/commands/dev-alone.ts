// `dev` in one process: API, worker and page, with an embedded Postgres and Redis unless the configuration names
// servers. It loads edits of the project.
import { startServer } from '../api/server.ts'
import { openParts, reopenParts } from '../assembly.ts'
import { pause } from '../base/loop.ts'
import type { Config } from '../config.ts'
import { startEmbedded } from '../embedded/embedded.ts'
import { stopOnSignal } from '../processes/stop-signals.ts'
import type { Project } from '../project/load-project.ts'
import type { ProjectModules } from '../project/project-modules.ts'
import { catchStrayErrors } from '../worker/attempts/stray-errors.ts'
import { REDIS_WAIT_MS } from './api-process.ts'
import { warnWithoutKeys } from './api-warning.ts'
import { createGeneration, type Generation } from './dev-generation.ts'
import { type Reload, startReload, withVersion } from './dev-reload.ts'
import { startHealthServer } from './health-server.ts'
import { migrateDatabase } from './migrate.ts'
import { urlOf } from './serve-api.ts'

export interface LoadedProject {
  config: Config
  project: Project
}

const ORIGIN = { role: 'dev' }
// How many earlier generations are remembered, to which an error of code that still runs can belong.
const MAX_EARLIER = 20

/**
 * @param load loads the project and reads its settings
 * @param graceMs how long running tasks may go on when the command stops
 */
export async function runAlone(
  { config, project }: LoadedProject,
  modules: ProjectModules,
  load: () => Promise<LoadedProject>,
  graceMs: number,
): Promise<void> {
  const embedded = await startEmbedded(config.DATA_DIR, {
    databaseUrl: config.DATABASE_URL,
    redisUrl: config.REDIS_URL,
  })
  const { databaseUrl, redisUrl } = embedded
  const parts = await openParts(config, project, ORIGIN, { databaseUrl, redisUrl })
  const { connections } = parts
  await migrateDatabase(connections.database, config)
  const reloadState = () => reload.state()
  let current = await createGeneration(config, parts, reloadState)
  let earlier: Generation[] = []
  catchStrayErrors((error) => handleStrayError(error, current, earlier))
  const reload: Reload = startReload({
    files: modules.files,
    needsRestart: modules.isCommonJs,
    async apply(signal) {
      modules.startVersion()
      const loaded = await load()
      const nextParts = await reopenParts(loaded.config, loaded.project, ORIGIN, parts)
      const next = await createGeneration(loaded.config, nextParts, reloadState)
      if (signal.aborted) return next.close()
      const last = current
      // The last worker does not know new definitions, so it stops before the API accepts their tasks.
      await last.stopWorker(0)
      current = next
      earlier = [last, ...earlier].slice(0, MAX_EARLIER)
      startWorker()
      await last.close()
    },
  })
  startWorker()
  const server = await startServer(
    (request, env) => withVersion(current.fetch(request, env), reload.state()),
    {
      host: config.HOST,
      port: config.PORT,
    },
  )
  warnWithoutKeys(config)
  const healthServer = await startHealthServer(
    config,
    {
      events: parts.events,
      metrics: { contentType: parts.metrics.contentType, render: () => current.metrics.render() },
    },
    current.health,
  )
  await Promise.race([connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])
  const stopAndExit = stopOnSignal(async () => {
    await reload.stop()
    await Promise.all([server.stop(), healthServer?.stop()])
    await current.stopWorker(graceMs)
    await current.close()
    await connections.close()
    await embedded.stop()
  })
  process.stdout.write(`Waggle is ready: ${urlOf(config.HOST, server.port)}\n`)

  function startWorker() {
    void current
      .startWorker()
      .failed.then(reportFailure)
      .then(() => stopAndExit(1))
  }
}

/**
 * Passes an error that no code has handled to the worker to which the code belongs. After an edit, an error of
 * other code does not stop the command, because it can come from a timer of earlier code.
 */
function handleStrayError(error: unknown, current: Generation, earlier: Generation[]) {
  const owner = [current, ...earlier].find((generation) => generation.isInAttempt())
  if (owner || earlier.length === 0) return (owner ?? current).handleStrayError(error)
  const text = error instanceof Error ? error.stack : String(error)
  process.stderr.write(`An error was thrown outside of any attempt:\n${text}\n`)
}

/** Writes for a person at a terminal why `dev` stops. The log of the worker contains the details. */
function reportFailure(reason: string) {
  process.stderr.write(`Waggle stops: ${reason}. Unfinished tasks continue at the next start\n`)
}

// `dev` as a supervisor and its processes. After an edit of the project, it replaces them one after the other.
import type { Config, Environment } from '../config.ts'
import { startEmbedded } from '../embedded/embedded.ts'
import type { FileHashes } from '../project/project-modules.ts'
import { warnWithoutKeys } from './api-warning.ts'
import { checkInChild } from './check-project.ts'
import { type Reload, startReload } from './dev-reload.ts'
import { migrateAt } from './migrate.ts'
import { supervise } from './supervise.ts'

export async function runSupervised(
  config: Config,
  environment: Environment,
  graceSeconds: number,
): Promise<void> {
  const databaseUrl = requireServer(config)
  // The supervisor never loads the project, because code of the project could end it.
  const files = new Map(await checkInChild(environment, () => {}))
  const embedded = await startEmbedded(config.DATA_DIR, { databaseUrl, redisUrl: config.REDIS_URL })
  await migrateAt(databaseUrl, config)
  let reload: Reload | undefined
  const { url, restart } = await supervise({
    name: 'dev',
    config: { ...config, SHUTDOWN_GRACE_SECONDS: graceSeconds },
    environment: {
      ...environment,
      REDIS_URL: embedded.redisUrl,
      SHUTDOWN_GRACE_SECONDS: String(graceSeconds),
    },
    // Workers are replaced first: an API accepts tasks of new definitions as soon as it is replaced.
    roles: ['worker', 'api'],
    dev: true,
    async onStopped() {
      await reload?.stop()
      await embedded.stop()
    },
  })
  reload = startReload({
    files: () => files,
    async apply(signal) {
      await checkInChild(environment, remember)
      if (signal.aborted) return
      if (!(await restart())) throw new Error('A new process did not start. Its error is above')
    },
  })
  warnWithoutKeys(config)
  process.stdout.write(`Waggle is ready: ${url}\n`)

  function remember(loaded: FileHashes) {
    for (const [file, hash] of loaded) files.set(file, hash)
  }
}

/** @throws Error if the configuration has several processes and the embedded database */
function requireServer({ DATABASE_URL: url }: Config): string {
  if (url && !url.startsWith('pglite:')) return url
  throw new Error(
    'API_PROCESSES or WORKER_PROCESSES is above 1, which needs a Postgres server: only one process can use the embedded ' +
      'database. Set DATABASE_URL to postgres://…, or both settings to 1',
  )
}

// All checks of `waggle doctor`, in the order in which a fault of one explains those after it.
import { messageOf } from '../base/errors.ts'
import { type Config, type Environment, readConfig } from '../config.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { loadProject, type Project } from '../project/load-project.ts'
import { createProjectRegistry } from '../project/open-project.ts'
import { type Check, ok, wrong } from './check.ts'
import { checkDatabase } from './check-database.ts'
import { checkDataFolder, checkOwnRedis } from './check-embedded.ts'
import { checkPorts } from './check-ports.ts'
import { checkRedis } from './check-redis.ts'

/** Node that runs the TypeScript files of a project and all parts of Waggle. */
const NODE_MAJOR = 24

/** Yields each check when it is done. */
export async function* runChecks(environment: Environment, version: string): AsyncGenerator<Check> {
  const node = checkNode(process.versions.node)
  yield node
  // Without it the configuration of the project cannot be loaded.
  if (!node.isOk) return
  yield ok(`Waggle ${version}`)
  let project: Project
  try {
    project = await loadProject(environment)
    yield ok(`${project.file}, number of tasks: ${project.config.tasks.length}`)
  } catch (error) {
    yield wrong(messageOf(error))
    return
  }
  let config: Config
  try {
    config = readConfig(environment, [], project.settings)
    yield ok('All settings are valid')
  } catch (error) {
    yield wrong(messageOf(error))
    return
  }
  const definitions = createProjectRegistry(project.config.tasks, config).all
  yield* await checkPorts(config)
  yield* await checkServers(config, definitions)
}

export function checkNode(version: string): Check {
  if (Number.parseInt(version, 10) >= NODE_MAJOR) return ok(`Node ${version}`)
  return wrong(
    `Node ${version} is too old: use Node ${NODE_MAJOR} or newer. In a project that has the package "node", run this command with npx`,
  )
}

async function checkServers(config: Config, definitions: readonly TaskDefinition[]): Promise<Check[]> {
  const { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, DATA_DIR: dataDir } = config
  const missingAfterMs = config.WORKER_MISSING_AFTER_SECONDS * 1_000
  const isEmbedded = !databaseUrl || databaseUrl.startsWith('pglite:')
  const [database, redis] = await Promise.all([
    isEmbedded
      ? [checkDataFolder(dataDir), ...checkQueues(config, definitions)]
      : checkDatabase(databaseUrl, { definitions, missingAfterMs }),
    redisUrl ? checkRedis(redisUrl) : [checkOwnRedis()],
  ])
  return [...database, ...redis]
}

/** Checks that the only worker, that of `waggle dev`, serves the queues of all definitions. */
function checkQueues({ WORKER_QUEUES: served }: Config, definitions: readonly TaskDefinition[]): Check[] {
  const queues = [...new Set(definitions.map(({ queue }) => queue))]
  const missing = queues.filter((queue) => !served.includes(queue))
  if (missing.length === 0) return [ok(`The worker of \`waggle dev\` runs all queues: ${queues.join(', ')}`)]
  return [
    wrong(
      `The worker of \`waggle dev\` does not run ${missing.join(', ')}: set WORKER_QUEUES=${[...served, ...missing].join(',')}`,
    ),
  ]
}

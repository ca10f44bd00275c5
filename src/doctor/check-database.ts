// Checks the database server: versions, migrations, permissions, clock and workers.
import { messageOf } from '../base/errors.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { type DatabaseState, readDatabaseState } from '../store/database-state.ts'
import { type Check, checkClock, ok, wrong } from './check.ts'

// The supported major versions of PostgreSQL (docs/operations.md).
const OLDEST = 15
const NEWEST = 18

/** @param definitions all definitions of the project and of Waggle itself */
export async function checkDatabase(
  url: string,
  { definitions, missingAfterMs }: { definitions: readonly TaskDefinition[]; missingAfterMs: number },
): Promise<Check[]> {
  let state: DatabaseState
  try {
    state = await readDatabaseState(url, missingAfterMs)
  } catch (error) {
    return [
      wrong(`Postgres cannot be used: ${messageOf(error)}. Check DATABASE_URL, and that the server runs`),
    ]
  }
  return [
    checkServer(state),
    ...(state.fault === null ? [checkMigrations(state)] : [wrong(state.fault)]),
    checkPermissions(state),
    checkClock('Postgres', state.aheadMs),
    ...checkWorkers(state, definitions),
  ]
}

function checkServer({ version, major, isReadOnly }: DatabaseState): Check {
  const name = `PostgreSQL ${version}`
  if (major < OLDEST || major > NEWEST)
    return wrong(`${name} is not supported: use PostgreSQL ${OLDEST} to ${NEWEST}`)
  if (isReadOnly) return wrong(`${name} is read-only: let DATABASE_URL lead to the primary server`)
  return ok(`${name} is reachable`)
}

function checkMigrations({ pendingMigrations }: DatabaseState): Check {
  if (pendingMigrations === 0) return ok('The tables are up to date')
  return wrong(`The database lacks ${countOf(pendingMigrations, 'migration')}: run \`waggle migrate\``)
}

function checkPermissions({ missingPermissions }: DatabaseState): Check {
  if (missingPermissions.length === 0) return ok('The role of DATABASE_URL may create partitions')
  return wrong(`The role of DATABASE_URL may not create partitions: run \`${missingPermissions.join('; ')}\``)
}

/** One check per queue of the definitions. */
function checkWorkers({ workers }: DatabaseState, definitions: readonly TaskDefinition[]): Check[] {
  const byQueue = Map.groupBy(definitions, ({ queue }) => queue)
  return [...byQueue].map(([queue, served]) => {
    const all = workers.filter(({ queues }) => queues.includes(queue))
    const active = all.filter(({ isDraining }) => !isDraining)
    if (active.length > 0) return ok(`${countOf(active.length, 'worker')} for the queue "${queue}"`)
    const names = served.map(({ name }) => name).join(', ')
    if (all.length > 0)
      return wrong(`All workers for the queue "${queue}" (${names}) are drained: resume one on the page`)
    const setting = queue === 'default' ? '' : `WORKER_QUEUES=${queue} `
    return wrong(`No worker runs the queue "${queue}" (${names}): start \`${setting}waggle worker\``)
  })
}

function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

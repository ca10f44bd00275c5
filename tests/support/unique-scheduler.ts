// A process with a worker that makes the tasks of schedules of unique definitions, and runs none, until it is
// killed. Arguments: URLs of database and Redis.
import { openConnections } from '../../src/connections.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { startWorker } from '../../src/worker/worker.ts'
import { createSampleRegistry } from './sample-project.ts'
import { createUniqueDefinitions } from './unique-definitions.ts'
import { OPTIONS } from './worker-process.ts'

const [, , databaseUrl = '', redisUrl = ''] = process.argv
const events = createEvents()
const connections = await openConnections({ databaseUrl, redisUrl }, events)
const { definitions } = createUniqueDefinitions()
startWorker(connections, createSampleRegistry(definitions), events, {
  ...OPTIONS,
  queues: ['none'],
  scheduleMs: 50,
})
process.send?.('runs')

// A process that submits and cancels unique tasks until it is killed. Arguments: URLs of database and Redis.
import { createApiDependencies } from '../../src/api/dependencies.ts'
import { openConnections } from '../../src/connections.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createSampleRegistry } from './sample-project.ts'
import { createUniqueDefinitions } from './unique-definitions.ts'

const [, , databaseUrl = '', redisUrl = ''] = process.argv
const events = createEvents()
const connections = await openConnections({ databaseUrl, redisUrl }, events)
const { definitions } = createUniqueDefinitions()
const { service } = createApiDependencies(connections, createSampleRegistry(definitions), events, {
  bodyLimitBytes: 1_024,
  workerMissingAfterMs: 1_000,
  addressOf: () => undefined,
})
for (let n = 0; ; n++) {
  const tasks = await Promise.all(
    ['a', 'b', 'c', 'a'].map((key) => service.submit('replaced_until_finished', { key, n })),
  )
  if (n === 0) process.send?.('submits')
  if (n % 2 === 1) await service.cancelMany(tasks.map(({ id }) => id))
}

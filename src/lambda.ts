// The API as an AWS Lambda function, behind API Gateway (HTTP API, payload format 2.0) or a function URL.
import { getConnInfo, handle } from 'hono/aws-lambda'
import { assembleApi, openParts, refuseEarlierVersion } from './assembly.ts'
import { pause } from './base/loop.ts'
import { readConfig } from './config.ts'

// Time to wait for Redis at the start. Usually it answers within milliseconds, and the first task is then
// enqueued immediately. Without Redis, tasks are accepted too.
const REDIS_WAIT_MS = 2_000

// A function is always reachable from outside. So API_KEYS or ALLOW_ANONYMOUS is required with any NODE_ENV.
const environment = { ...process.env, NODE_ENV: 'production' }
const config = readConfig(environment, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'])
const parts = await openParts(config, 'lambda')
await refuseEarlierVersion(parts)
const { app, dependencies } = assembleApi(config, parts, { addressOf: (c) => getConnInfo(c).remote.address })
const respond = handle(app)
await Promise.race([parts.connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])

/** Handles one request. Responses are not streamed: all events of a task arrive when it has ended. */
export async function handler(...call: Parameters<typeof respond>) {
  const response = await respond(...call)
  // Lambda freezes the process after the response. So wait until tasks are enqueued and statistics are
  // written; otherwise both would happen at the next request. An error of the statistics fails no request.
  await Promise.all([dependencies.service.whenEnqueued(), parts.activity.flush().catch(() => {})])
  return response
}

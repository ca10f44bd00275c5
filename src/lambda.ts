// The API as an AWS Lambda function, behind API Gateway (HTTP API, payload format 2.0) or a function URL.
import { getConnInfo, handle } from 'hono/aws-lambda'
import { assembleApi, openParts, refuseEarlierVersion } from './assembly.ts'
import { pause } from './base/loop.ts'
import { readConfig } from './config.ts'

const REDIS_PATIENCE_MS = 2_000

// A function has no loopback interface to hide behind: it starts open only when it is told to, whatever NODE_ENV is.
const environment = { ...process.env, NODE_ENV: 'production' }
const config = readConfig(environment, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'])
const parts = await openParts(config, 'lambda')
await refuseEarlierVersion(parts)
const { app, dependencies } = assembleApi(config, parts, { addressOf: (c) => getConnInfo(c).remote.address })
const respond = handle(app)
// Redis may be away, and tasks are accepted all the same; usually it is there in a moment, and then nothing is late.
await Promise.race([parts.connections.queue.prepare('default'), pause(REDIS_PATIENCE_MS)])

/** Handles one request. Answers are returned whole, so events of a task arrive when it has ended: better poll here. */
export async function handler(...call: Parameters<typeof respond>) {
  const response = await respond(...call)
  // The process is frozen as soon as it has answered: bells that are still on their way would ring at its next request,
  // and what was counted would be counted then. Statistics are not worth an error.
  await Promise.all([dependencies.service.settled(), parts.activity.flush().catch(() => {})])
  return response
}

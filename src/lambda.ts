// The API as an AWS Lambda function, behind API Gateway (HTTP API, payload format 2.0) or a function URL.
import { getConnInfo, handle } from 'hono/aws-lambda'
import { assembleApi, openParts, refuseUnsuitableDatabase } from './assembly.ts'
import { pause } from './base/loop.ts'
import { readConfig } from './config.ts'
import { loadProject } from './project/load-project.ts'

// How long the start of a function instance waits for Redis. Usually Redis answers within milliseconds, and
// the first task is then enqueued immediately. The wait is limited, because tasks are also accepted while
// Redis cannot be reached.
const REDIS_WAIT_MS = 2_000

// Sets NODE_ENV to `production`, so that API_KEYS or ALLOW_ANONYMOUS=true is required: a Lambda function is
// always reachable from outside.
const environment = { ...process.env, NODE_ENV: 'production' }
const project = await loadProject(environment)
const config = readConfig(environment, ['DATABASE_URL', 'REDIS_URL', 'API_KEYS'], project.settings)
const parts = await openParts(config, project, { role: 'lambda' })
await refuseUnsuitableDatabase(parts)
const { app, dependencies } = assembleApi(config, parts, { addressOf: (c) => getConnInfo(c).remote.address })
const respond = handle(app)
await Promise.race([parts.connections.queue.prepare('default'), pause(REDIS_WAIT_MS)])

/**
 * Handles one request. Responses are not streamed: a client that requests the events of a task gets all of
 * them when the task has ended.
 */
export async function handler(...call: Parameters<typeof respond>) {
  const response = await respond(...call)
  // Waits until tasks are enqueued and statistics are written, because Lambda freezes the process after the
  // response; otherwise both would happen at the next request. An error of the statistics does not fail the
  // request.
  await Promise.all([dependencies.service.whenEnqueued(), parts.activity.flush().catch(() => {})])
  return response
}

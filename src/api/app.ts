// The API as a pure fetch handler: `createApp(dependencies).fetch(request)`.
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { AppError } from '../errors.ts'
import type { Events } from '../telemetry/events.ts'
import { createClassicRoutes } from './classic-routes.ts'
import type { ApiDependencies } from './dependencies.ts'
import { createHealthRoutes } from './health-routes.ts'
import { createMetricsRoutes } from './metrics-routes.ts'
import { createMonitoringRoutes } from './monitoring-routes.ts'
import { problemOf } from './problem.ts'
import { createQueueRoutes } from './queue-routes.ts'
import { limitBody } from './request-body.ts'
import { type ApiEnv, beginRequest } from './request-context.ts'
import { createTaskRoutes } from './task-routes.ts'

// What a page of another origin may see of an answer.
const READABLE_HEADERS = [
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id',
]

/** The type of the routes, for the typed client. */
export type AppType = ReturnType<typeof createRoutes>

export function createApp(dependencies: ApiDependencies) {
  const { events, bodyLimitBytes, webRoot, metrics, admit, corsOrigins = [] } = dependencies
  const app = new Hono<ApiEnv>()
  // Nobody listens unless requests are logged or measured; then they cost nothing here.
  if (events.listenerCount('request.finished') > 0) app.use(announceRequest(events))
  app.use(beginRequest())
  if (corsOrigins.length > 0) app.use(cors({ origin: corsOrigins, exposeHeaders: READABLE_HEADERS }))
  app.on(['POST', 'PUT', 'PATCH'], '*', limitBody(bodyLimitBytes))
  app.route('/', createRoutes(dependencies))
  if (metrics) app.get('/metrics', admit('read')).route('/', createMetricsRoutes(metrics))
  if (webRoot) app.use('*', serveStatic({ root: webRoot }))

  const methodsOf = methodsByPath(app)
  app.notFound((c) => {
    const methods = methodsOf(c.req.path)
    if (methods.length === 0) return problemOf(new AppError('not_found', 'There is nothing here'), c, events)
    c.header('Allow', methods.join(', '))
    const detail = `${c.req.path.slice(0, 200)} takes ${methods.join(', ')}, not ${c.req.method}`
    return problemOf(new AppError('method_not_allowed', detail), c, events)
  })
  app.onError((error, c) => problemOf(error, c, events))
  return app
}

function createRoutes(dependencies: ApiDependencies) {
  return new Hono<ApiEnv>()
    .route('/', createHealthRoutes(dependencies.health))
    .route('/', createClassicRoutes(dependencies))
    .route('/v1', createTaskRoutes(dependencies))
    .route('/v1', createMonitoringRoutes(dependencies))
    .route('/v1', createQueueRoutes(dependencies))
}

function announceRequest(events: Events) {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const startedMs = performance.now()
    await next()
    const ms = performance.now() - startedMs
    const { method, path } = c.req
    const requestId = c.get('requestId')
    events.emit('request.finished', { method, path, route: routeOf(c), status: c.res.status, ms, requestId })
  })
}

/** The pattern of the route that answered: there are few of them, and endless paths. What serves every path is none. */
function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ path }) => !path.includes('*'))?.path ?? 'none'
}

/** Which verbs a path takes, so that a wrong one is answered 405 and not 404. */
function methodsByPath(app: Hono<ApiEnv>): (path: string) => string[] {
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && !path.includes('*'))
    .map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`) }))
  return (path) => {
    const methods = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
    return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
  }
}

// The API as a pure fetch handler: `createApp(dependencies).fetch(request)`.
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { AppError } from '../base/errors.ts'
import type { Events } from '../telemetry/events.ts'
import type { ApiDependencies } from './dependencies.ts'
import { createDocsRoutes } from './docs/docs-routes.ts'
import { createFormRoutes } from './forms/form-routes.ts'
import { createPathCacheRouter } from './http/path-cache-router.ts'
import { problemOf } from './http/problem.ts'
import { limitBody } from './http/request-body.ts'
import { type ApiEnv, beginRequest } from './http/request-context.ts'
import { isHealthPath, refuseForeignSites } from './http/same-site.ts'
import { createAccessRoutes } from './system/access-routes.ts'
import { createHealthRoutes } from './system/health-routes.ts'
import { createMetricsRoutes } from './system/metrics-routes.ts'
import { createQueueRoutes } from './system/queue-routes.ts'
import { createMonitoringRoutes } from './system/statistics-routes.ts'
import { createWorkerRoutes } from './system/worker-routes.ts'
import { createTaskRoutes } from './tasks/task-routes.ts'

// What a page of another origin may see of an answer.
const READABLE_HEADERS = [
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Traceparent',
  'X-Request-Id',
]

// What a changed configuration is late by, at most.
const PREFLIGHT_SECONDS = 600

/** The type of the routes, for the typed client. */
export type AppType = ReturnType<typeof createRoutes>

export function createApp(dependencies: ApiDependencies) {
  const { events, webRoot, metrics, admit, corsOrigins = [] } = dependencies
  const app = new Hono<ApiEnv>({ router: createPathCacheRouter() })
  // Nobody listens unless requests are logged or measured; then they cost nothing here.
  app.use(beginRequest(events.listenerCount('request.finished') > 0 ? announceTo(events) : undefined))
  if (corsOrigins.length > 0) app.use(shareWith(corsOrigins))
  app.use(guardWith(dependencies))
  app.route('/', createRoutes(dependencies))
  app.route('/', createDocsRoutes(dependencies.registry))
  if (metrics) app.get('/metrics', admit('read')).route('/', createMetricsRoutes(metrics))
  if (webRoot) app.use('*', serveFiles(webRoot))

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
    .route('/', createFormRoutes(dependencies))
    .route('/', createTaskRoutes(dependencies))
    .route('/', createMonitoringRoutes(dependencies))
    .route('/', createQueueRoutes(dependencies))
    .route('/', createWorkerRoutes(dependencies))
    .route('/', createAccessRoutes(dependencies))
}

/** What every request has to pass, as one middleware: each costs every request a promise and a turn. */
function guardWith({ apiKeys, corsOrigins, listensOn, bodyLimitBytes }: ApiDependencies) {
  const refuseForeign = apiKeys ? undefined : refuseForeignSites({ corsOrigins, listensOn })
  const limit = limitBody(bodyLimitBytes)
  return createMiddleware<ApiEnv>((c, next) => {
    refuseForeign?.(c)
    return limit(c, next)
  })
}

/** Lets pages of these origins call. */
function shareWith(origins: string[]) {
  const share = cors({ origin: origins, exposeHeaders: READABLE_HEADERS, maxAge: PREFLIGHT_SECONDS })
  return createMiddleware<ApiEnv>((c, next) => {
    const { req } = c
    const isPreflight = req.header('Origin') && req.header('Access-Control-Request-Method')
    // It answers every OPTIONS itself; one that is no preflight is a request like any other.
    const isOurs = req.method === 'OPTIONS' && (!isPreflight || isHealthPath(req.path))
    return isOurs ? next() : share(c, next)
  })
}

/** The files of the page. */
function serveFiles(root: string) {
  const serve = serveStatic<ApiEnv>({
    root,
    onFound(path, c) {
      // Their names change with their content; the page that names them does not.
      const isHashed = /[\\/]assets[\\/]/.test(path)
      c.header('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  return createMiddleware<ApiEnv>(async (c, next) => {
    const response = await serve(c, next)
    // Its own has no body, and every error of ours is a problem.
    if (response?.status === 416) throw new AppError('range_not_satisfiable', 'The file has no such range')
    return response
  })
}

function announceTo(events: Events) {
  return (c: Context<ApiEnv>, ms: number) => {
    const { method, path } = c.req
    const { status } = c.res
    const [requestId, traceparent] = [c.get('requestId'), c.get('traceparent')]
    events.emit('request.finished', { method, path, route: routeOf(c), status, ms, requestId, traceparent })
  }
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

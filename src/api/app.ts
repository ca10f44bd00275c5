// Builds the API as a fetch handler: `createApp(dependencies).fetch(request)`. It opens no port.
import { serveStatic } from '@hono/node-server/serve-static'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { matchedRoutes } from 'hono/route'
import { AppError } from '../base/errors.ts'
import { NO_SERVICES, type Services } from '../definitions/services.ts'
import type { Events } from '../telemetry/events.ts'
import type { ApiDependencies, ReloadState } from './dependencies.ts'
import { createDocsRoutes } from './docs/docs-routes.ts'
import { createPathCacheRouter } from './http/path-cache-router.ts'
import { noRouteError, problemResponse, shortPath } from './http/problem.ts'
import { limitBody } from './http/request-body.ts'
import { type ApiEnv, beginRequest } from './http/request-context.ts'
import { createSiteCheck, isHealthPath } from './http/same-site.ts'
import { createRouteTools, type ProjectRoutes, type RouteTools } from './project-routes.ts'
import { createScheduleRoutes } from './schedules/schedule-routes.ts'
import { createAccessRoutes } from './system/access-routes.ts'
import { createHealthRoutes } from './system/health-routes.ts'
import { createMetricsRoutes } from './system/metrics-routes.ts'
import { createQueueRoutes } from './system/queue-routes.ts'
import { createStatisticsRoutes } from './system/statistics-routes.ts'
import { systemOperations } from './system/system-operations.ts'
import { createWorkerRoutes } from './system/worker-routes.ts'
import { createTaskRoutes } from './tasks/task-routes.ts'

// Response headers that pages of other origins may read (CORS).
const EXPOSED_HEADERS = [
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Traceparent',
  'X-Request-Id',
]

// How long browsers cache a CORS preflight response. A change of CORS_ORIGINS can reach them this late.
const PREFLIGHT_SECONDS = 600

/** The type of the API routes, from which the types of the HTTP client (`src/client`) are derived. */
export type AppType = ReturnType<typeof createRoutes>

/**
 * @param openRoutes adds the routes of the project
 * @param services what the project's routes get as `services`
 */
export function createApp(
  dependencies: ApiDependencies,
  openRoutes?: (tools: RouteTools) => ProjectRoutes,
  services: Services = NO_SERVICES,
) {
  const { events, webRoot, metrics, admit, reloadState, corsOrigins = [] } = dependencies
  const app = new Hono<ApiEnv>({ router: createPathCacheRouter() })
  // Emits the event `request.finished` for each request only if request logs or metrics listen to it.
  const isObserved = events.listenerCount('request.finished') > 0
  app.use(beginRequest(isObserved ? (c, ms) => emitRequestFinished(events, c, ms) : undefined))
  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins))
  app.use(checkSiteAndBodySize(dependencies))
  app.route('/', createRoutes(dependencies))
  const projectRoutes = openRoutes?.(createRouteTools(dependencies, services))
  if (projectRoutes) app.route('/', projectRoutes.app)
  app.route('/', createDocsRoutes(dependencies.registry, projectRoutes?.openapi))
  if (reloadState) app.get('/dev/reload', (c) => c.json(visibleState(reloadState(), dependencies)))
  if (metrics)
    app.get('/metrics', admit(systemOperations.get_metrics)).route('/', createMetricsRoutes(metrics))
  if (webRoot) app.use('*', serveFiles(webRoot))

  const methodsOf = methodsByPath(app)
  app.notFound((c) => {
    const methods = methodsOf(c.req.path)
    if (methods.length === 0) return problemResponse(noRouteError(c), c, events)
    c.header('Allow', methods.join(', '))
    const detail = `${shortPath(c)} takes ${methods.join(', ')}, not ${c.req.method}`
    return problemResponse(new AppError('method_not_allowed', detail), c, events)
  })
  app.onError((error, c) => problemResponse(error, c, events))
  return app
}

function createRoutes(dependencies: ApiDependencies) {
  return new Hono<ApiEnv>()
    .route('/', createHealthRoutes(dependencies.health))
    .route('/', createTaskRoutes(dependencies))
    .route('/', createScheduleRoutes(dependencies))
    .route('/', createStatisticsRoutes(dependencies))
    .route('/', createQueueRoutes(dependencies))
    .route('/', createWorkerRoutes(dependencies))
    .route('/', createAccessRoutes(dependencies))
}

/**
 * Creates middleware that checks the size of the body and, if the API requires no keys, the site from which
 * the request comes. Both checks share one middleware, because a second one would cost every request another
 * promise.
 */
function checkSiteAndBodySize({ apiKeys, corsOrigins, listensOn, bodyLimitBytes }: ApiDependencies) {
  const checkSite = apiKeys ? undefined : createSiteCheck({ corsOrigins, listensOn })
  const limit = limitBody(bodyLimitBytes)
  return createMiddleware<ApiEnv>((c, next) => {
    checkSite?.(c)
    return limit(c, next)
  })
}

/** With API keys, the error is left out: everyone may read the state, and the error names files. */
function visibleState({ version, error }: ReloadState, { apiKeys }: ApiDependencies): ReloadState {
  return { version, error: error !== null && apiKeys ? 'The terminal shows the error' : error }
}

/** Creates middleware that lets pages of these origins call the API (CORS). */
function allowOrigins(origins: string[]) {
  const addCors = cors({ origin: origins, exposeHeaders: EXPOSED_HEADERS, maxAge: PREFLIGHT_SECONDS })
  return createMiddleware<ApiEnv>((c, next) => {
    const { req } = c
    const isPreflight = req.header('Origin') && req.header('Access-Control-Request-Method')
    // hono/cors responds to every OPTIONS request itself. OPTIONS requests that are not preflights bypass it,
    // so that they get 405. Those to health paths bypass it too, because health checks accept every method.
    const isForRoutes = req.method === 'OPTIONS' && (!isPreflight || isHealthPath(req.path))
    return isForRoutes ? next() : addCors(c, next)
  })
}

/** Creates middleware that serves the files of the built web page. */
function serveFiles(root: string) {
  const serve = serveStatic<ApiEnv>({
    root,
    onFound(path, c) {
      // Browsers may cache assets forever, because their names contain a hash of the content. Other files,
      // such as index.html, keep their names, so browsers must revalidate them.
      const isHashed = /[\\/]assets[\\/]/.test(path)
      c.header('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache')
    },
  })
  return createMiddleware<ApiEnv>(async (c, next) => {
    const response = await serve(c, next)
    // serveStatic responds to a Range outside of the file with 416 and no body. Throwing an AppError instead
    // makes the response problem+json, like all other errors.
    if (response?.status === 416) throw new AppError('range_not_satisfiable', 'The file has no such range')
    return response
  })
}

function emitRequestFinished(events: Events, c: Context<ApiEnv>, ms: number) {
  const { method, path } = c.req
  const { status } = c.res
  const [requestId, traceparent] = [c.get('requestId'), c.get('traceparent')]
  events.emit('request.finished', { method, path, route: routeOf(c), status, ms, requestId, traceparent })
}

/**
 * Returns the pattern of the matched route, for example `/v1/tasks/:id`; "none" if only wildcard routes
 * match. Metrics use the pattern as a label, because the number of paths is unlimited.
 */
function routeOf(c: Context): string {
  return matchedRoutes(c).findLast(({ path }) => !path.includes('*'))?.path ?? 'none'
}

/**
 * Returns a function that lists the methods that the routes of a path accept. With the list, a request with a
 * wrong method gets 405 and `Allow` instead of 404.
 */
function methodsByPath(app: Hono<ApiEnv>): (path: string) => string[] {
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && !path.includes('*'))
    .map(({ method, path }) => ({ method, pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`) }))
  return (path) => {
    const methods = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method)
    return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))]
  }
}

// Routes of a project, which its `waggle.config.ts` adds to the API, and what they can use.
import type { Context, Hono } from 'hono'
import { AppError, type ErrorCode, type Fault } from '../base/errors.ts'
import { NO_SERVICES, type Services } from '../definitions/services.ts'
import type { ApiDependencies } from './dependencies.ts'
import type { Admission } from './http/admission.ts'
import { jsonResponse } from './http/json-response.ts'
import { readFields } from './http/request-body.ts'
import type { ApiEnv } from './http/request-context.ts'
import { refuseOtherSite } from './http/same-site.ts'
import type { ExampleRequest, ProjectOperations } from './openapi/operation.ts'
import { coerceTexts } from './tasks/form-fields.ts'
import { createMasking } from './tasks/masking.ts'
import { readTask } from './tasks/read-task.ts'
import { existingMark, pollToken, replayedHeader } from './tasks/submission-response.ts'
import { originOf } from './tasks/submit-options.ts'
import { type TaskView, viewOfTask } from './tasks/task-view.ts'

export interface ProjectRoutes {
  /** The routes, with their whole paths. They are tried before the files of the page. */
  app: Hono<ApiEnv>
  /** Describes the routes in `/openapi.json`, under a tag of their own. */
  openapi?: ProjectOperations
  /**
   * Example requests for the Postman collection, which sends them in this order. Without them it has one
   * request per operation.
   */
  requests?: readonly ExampleRequest[]
}

/** A submitted task. `poll_token` allows reading it without an API key; it is set if the API requires keys. */
export interface SubmittedByRoute {
  id: string
  /** True if the submission has created no task, because it has met this one, which is unique. */
  is_existing?: true
  poll_token?: string
}

export interface RouteTools {
  services: Services
  /**
   * Returns middleware that checks API key, scope and rate limit of a request. Without it, a route is open
   * to everyone. A poll token is accepted only if the path has a parameter `id`, the id of the task.
   */
  admit: Admission
  /**
   * Submits a task. If the API requires no keys, requests that a page of another site causes are refused. The
   * task gets the request id and the trace context of the request, and the request's Idempotency-Key
   * applies. Sets the response header Idempotent-Replayed for a repeated request.
   * @param options `body`: what must be equal in a repeated request, the input by default. `operation`: an
   *    Idempotency-Key is valid for one operation only; the path of the request by default
   * @throws an error that becomes a problem response, e.g. 422 with a pointer to each invalid field
   */
  submit(
    c: Context<ApiEnv>,
    name: string,
    input: unknown,
    options?: { body?: unknown; operation?: string },
  ): Promise<SubmittedByRoute>
  /** Reads a task, with its sensitive values masked. @throws an error that becomes a problem response with 404 if there is none */
  readTask(id: string): Promise<TaskView>
  /** Reads the fields of a body that is a JSON object or an HTML form. @throws like `submit` */
  readFields(c: Context): Promise<{ fields: Record<string, unknown>; isForm: boolean }>
  /** Creates a JSON response. It is faster than `c.json` for a response with headers. */
  json: typeof jsonResponse
  /**
   * Converts texts of a form or a query string to numbers where the input of a task requires numbers.
   * @param name name of the definition
   */
  coerceTexts(name: string, fields: Record<string, unknown>): Record<string, unknown>
  /** Creates an error that becomes a problem response when a route throws it. */
  problem(code: ErrorCode, detail: string, faults?: Fault[]): Error
}

/**
 * Calls the function that creates the routes of a project, without any server and without services, to read
 * their description. The routes cannot serve requests.
 */
export function describeRoutes(
  openRoutes: ((tools: RouteTools) => ProjectRoutes) | undefined,
): Pick<ProjectRoutes, 'openapi' | 'requests'> {
  const unavailable = () => {
    throw new Error('This command only describes the routes of the project, and cannot serve requests')
  }
  const tools: RouteTools = {
    services: NO_SERVICES,
    admit: () => async (_, next) => next(),
    submit: unavailable,
    readTask: unavailable,
    readFields: unavailable,
    json: unavailable,
    coerceTexts: unavailable,
    problem: (code, detail, faults) => new AppError(code, detail, { faults }),
  }
  return openRoutes?.(tools) ?? {}
}

/** Creates the tools for the routes of a project. */
export function createRouteTools(dependencies: ApiDependencies, services: Services): RouteTools {
  const { registry, service, admit, apiKeys, corsOrigins } = dependencies
  const masking = createMasking(dependencies)
  return {
    services,
    admit,
    async submit(c, name, input, { body = input, operation = c.req.path } = {}) {
      // A page of another site could otherwise submit tasks with links to a route that accepts GET.
      if (!apiKeys) refuseOtherSite(c, corsOrigins)
      const task = await service.submit(name, input, originOf(c, operation, body))
      if (task.isReplayed) c.set('responseHeaders', { ...c.get('responseHeaders'), ...replayedHeader(task) })
      return { id: task.id, ...existingMark(task), ...pollToken(c, task.id) }
    },
    readTask: async (id) => viewOfTask(masking.row(await readTask(dependencies, id))),
    readFields,
    json: jsonResponse,
    coerceTexts: (name, fields) => coerceTexts(registry.get(name), fields),
    problem: (code, detail, faults) => new AppError(code, detail, { faults }),
  }
}

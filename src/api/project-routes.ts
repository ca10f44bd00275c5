// Routes of a project, which its `waggle.config.ts` adds to the API, and what they can use.
import type { Context, Hono } from 'hono'
import { AppError, type ErrorCode, type Fault } from '../base/errors.ts'
import type { Services } from '../definitions/services.ts'
import type { ApiDependencies } from './dependencies.ts'
import type { Admission } from './http/admission.ts'
import { readFields } from './http/request-body.ts'
import type { ApiEnv } from './http/request-context.ts'
import type { ProjectOperations } from './openapi/operation.ts'
import { coerceTexts } from './tasks/form-fields.ts'
import { createMasking } from './tasks/masking.ts'
import { readTask } from './tasks/read-task.ts'
import { pollToken, replayedHeader } from './tasks/submission-response.ts'
import { originOf } from './tasks/submit-options.ts'
import { type TaskView, viewOfTask } from './tasks/task-view.ts'

export interface ProjectRoutes {
  /** The routes, with their whole paths. They are tried before the files of the page. */
  app: Hono<ApiEnv>
  /** Describes the routes in `/openapi.json`, under a tag of their own. */
  openapi?: ProjectOperations
}

/** A submitted task. `poll_token` allows reading it without an API key; it is set if the API requires keys. */
export interface SubmittedByRoute {
  id: string
  poll_token?: string
}

export interface RouteTools {
  services: Services
  /**
   * Returns middleware that checks API key, scope and rate limit of a request. Without it, a route is open
   * to everyone.
   */
  admit: Admission
  /**
   * Submits a task. The task gets the request id and the trace context of the request, and the request's
   * Idempotency-Key applies. Sets the response header Idempotent-Replayed for a repeated request.
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
  /**
   * Converts texts of a form or a query string to numbers where the input of a task requires numbers.
   * @param name name of the definition
   */
  coerceTexts(name: string, fields: Record<string, unknown>): Record<string, unknown>
  /** Creates an error that becomes a problem response when a route throws it. */
  problem(code: ErrorCode, detail: string, faults?: Fault[]): Error
}

/** Creates the tools for the routes of a project. */
export function createRouteTools(dependencies: ApiDependencies, services: Services): RouteTools {
  const { registry, service, admit } = dependencies
  const masking = createMasking(dependencies)
  return {
    services,
    admit,
    async submit(c, name, input, { body = input, operation = c.req.path } = {}) {
      const task = await service.submit(name, input, originOf(c, operation, body))
      for (const [header, value] of Object.entries(replayedHeader(task))) c.header(header, value)
      return { id: task.id, ...pollToken(c, task.id) }
    },
    readTask: async (id) => viewOfTask(masking.row(await readTask(dependencies, id))),
    readFields,
    coerceTexts: (name, fields) => coerceTexts(registry.get(name), fields),
    problem: (code, detail, faults) => new AppError(code, detail, { faults }),
  }
}

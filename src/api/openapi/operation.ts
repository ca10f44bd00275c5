// Types that describe an endpoint. The operations of a group of routes stand beside these routes, and
// `document.ts` converts them to OpenAPI.
import type { Context } from 'hono'
import type { z } from 'zod'
import type { ErrorCode } from '../../base/errors.ts'
import type { RequiredAccess } from '../http/admission.ts'
import type { ApiEnv } from '../http/request-context.ts'
import type { HeaderName } from './headers.ts'
import type { ParameterName } from './parameters.ts'

/**
 * A JSON Schema, or a zod schema that the document names. A JSON Schema may contain such zod schemas. The
 * document replaces them with references.
 */
export type Schema = z.ZodType | Record<string, unknown>

export interface Content {
  schema: Schema
  /** Examples of the body, by their names. */
  examples?: Record<string, unknown>
}

export interface OperationResponse {
  description: string
  headers?: readonly HeaderName[]
  /** Schema and examples of the body for each media type. */
  content?: Record<string, Content>
}

/** A parameter in the notation of OpenAPI. */
export interface ParameterObject {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  description?: string
  schema: Record<string, unknown>
}

/** Operations of a group of routes by their ids. */
export type Operations = Record<string, Operation>

export interface Operation {
  /** Method and path, in the notation of Hono: `GET /v1/tasks/:id`. A test compares them with the routes. */
  route: string
  summary: string
  description?: string
  /** Access that the route requires; null if it requires none. */
  access: RequiredAccess | null
  /** Whether a request counts against the rate limit although it changes nothing. */
  isExpensive?: (c: Context<ApiEnv>) => boolean
  /** Names of parameters that `parameters.ts` describes, and Parameter Objects. */
  parameters?: readonly (ParameterName | ParameterObject)[]
  /** The schema with which the route validates the query string. Its fields have descriptions. */
  query?: z.ZodObject
  body?: { isOptional?: boolean; content: Record<string, Content> }
  responses: Record<number, OperationResponse>
  /**
   * Error codes that the operation can return. `problemResponses` adds those that follow from access,
   * parameters, query and body.
   */
  problems?: readonly ErrorCode[]
}

/** Operations of the routes of a project, which have a tag of their own. */
export interface ProjectOperations {
  tag: string
  description: string
  operations: Operations
  /** Schemas that have a name in the document. */
  schemas?: Record<string, Schema>
}

/** An example of a request to an operation, for the Postman collection. */
export interface ExampleRequest {
  name: string
  operationId: string
  /** The expected status. */
  status: number
  /** Values of the parameters in the path. `{{taskId}}` is the variable of the collection with this name. */
  path?: Record<string, string>
  query?: Record<string, string>
  headers?: Record<string, string>
  json?: unknown
  form?: Record<string, string>
  /** Lines of a script that Postman runs after the checks of status and required members. */
  script?: readonly string[]
  /** Whether the request is repeated until the task that it returns has ended. */
  isRepeatedUntilFinal?: boolean
}

/** Describes a body with the media type application/json. */
export function json(schema: Schema, examples?: Record<string, unknown>): Record<string, Content> {
  return { 'application/json': { schema, ...(examples && { examples }) } }
}

export const HTML_PAGE: Record<string, Content> = { 'text/html': { schema: { type: 'string' } } }

// Types that describe one endpoint. `document.ts` converts such descriptions to OpenAPI.
import type { z } from 'zod'
import type { ErrorCode } from '../../base/errors.ts'
import type { Scope } from '../../config.ts'
import type { HeaderName } from './headers.ts'
import type { ParameterName } from './parameters.ts'

/**
 * OpenAPI tags, which group the operations, with descriptions. The documentation shows them in this order.
 */
export const TAGS = {
  Submit:
    'One operation per task definition. 202 means that the task is committed and will run at least once.',
  Tasks: 'Read, list, cancel, retry and replay tasks.',
  'Form endpoints': 'Endpoints that accept JSON and HTML forms, and plain pages for browsers.',
  Monitoring: 'Queues, workers, statistics, health, metrics.',
  Documentation: 'This document.',
} as const

export type Tag = keyof typeof TAGS

/** A JSON Schema, or a `$ref` to one in `components/schemas`. */
export type Schema = Record<string, unknown>

export interface Content {
  schema: Schema
  /** Examples of the body, by their names. */
  examples?: Record<string, unknown>
}

export interface OperationResponse {
  description: string
  headers?: HeaderName[]
  /** Schema and examples of the body for each media type. */
  content?: Record<string, Content>
}

export interface Operation {
  method: 'get' | 'head' | 'post' | 'options'
  /** Path in OpenAPI's notation: `/v1/tasks/{id}`. */
  path: string
  id: string
  summary: string
  description?: string
  tag: Tag
  /** Scope that the API key of a request must have; null if the operation requires no key. */
  scope: Scope | 'any key' | null
  /** Whether requests count against the rate limit although they change nothing. */
  isExpensive?: true
  /** Whether the operation accepts the `poll_token` of the task instead of an API key. */
  takesPollToken?: true
  parameters?: ParameterName[]
  query?: Query
  body?: { isRequired: boolean; content: Record<string, Content> }
  responses: Record<number, OperationResponse>
  /**
   * Error codes that the operation can return. Errors of API keys, the rate limit and the size of the body
   * are left out: the OpenAPI document gets them from `scope` and `body`.
   */
  problems: ErrorCode[]
}

/** Query parameters: the zod schema that validates them in the API, and a description of each. */
export interface Query {
  schema: z.ZodObject
  descriptions: Record<string, string>
}

/** Combines the schema of a query string with descriptions. A parameter without one is a compile error. */
export function describedQuery<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  descriptions: Record<keyof Shape & string, string>,
): Query {
  return { schema, descriptions }
}

/** Describes a body with the media type application/json. */
export function json(schema: Schema, examples?: Record<string, unknown>): Record<string, Content> {
  return { 'application/json': { schema, ...(examples && { examples }) } }
}

export const HTML_PAGE: Record<string, Content> = { 'text/html': { schema: { type: 'string' } } }

// Description of one endpoint, which `document.ts` converts to OpenAPI.
import type { z } from 'zod'
import type { ErrorCode } from '../../base/errors.ts'
import type { Scope } from '../../config.ts'
import type { HeaderName } from './headers.ts'
import type { ParameterName } from './parameters.ts'

/** Tags in the order in which the documentation shows them. */
export const TAGS = {
  Submit:
    'One operation per task definition. 202 means that the task is committed and will run at least once.',
  Tasks: 'Read, list, cancel, retry and replay tasks.',
  'Form endpoints': 'Endpoints that accept JSON and HTML forms, and plain pages for browsers.',
  Monitoring: 'Queues, workers, statistics, health, metrics.',
  Documentation: 'This document.',
} as const

export type Tag = keyof typeof TAGS

/** A JSON Schema, or a reference to a schema in `components`. */
export type Schema = Record<string, unknown>

export interface Content {
  schema: Schema
  /** Examples by name. */
  examples?: Record<string, unknown>
}

export interface OperationResponse {
  description: string
  headers?: HeaderName[]
  /** Bodies by media type. */
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
  /** Scope that an API key must have; null if the operation requires no key. */
  scope: Scope | 'any key' | null
  /** The `poll_token` from the response to the submission is accepted instead of a key. */
  takesPollToken?: true
  parameters?: ParameterName[]
  query?: Query
  body?: { isRequired: boolean; content: Record<string, Content> }
  responses: Record<number, OperationResponse>
  /** Problems other than those that `problemResponses` derives from scope and body. */
  problems: ErrorCode[]
}

/** The schema that checks the query string, and a description of each parameter. */
export interface Query {
  schema: z.ZodObject
  descriptions: Record<string, string>
}

/** Combines a query schema with its descriptions. A missing description is a compile error. */
export function describedQuery<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  descriptions: Record<keyof Shape & string, string>,
): Query {
  return { schema, descriptions }
}

/** Creates the content of a JSON body. */
export function json(schema: Schema, examples?: Record<string, unknown>): Record<string, Content> {
  return { 'application/json': { schema, ...(examples && { examples }) } }
}

export const HTML_PAGE: Record<string, Content> = { 'text/html': { schema: { type: 'string' } } }

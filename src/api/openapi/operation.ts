// What is said about one endpoint; `document.ts` makes OpenAPI of it.
import type { z } from 'zod'
import type { ErrorCode } from '../../base/errors.ts'
import type { Scope } from '../../config.ts'
import type { HeaderName } from './headers.ts'
import type { ParameterName } from './parameters.ts'

/** In the order in which they are shown. */
export const TAGS = {
  Submit:
    'One operation per task definition. 202 means that the task is committed: it will be run at least once.',
  Tasks: 'Read, list and steer what was submitted.',
  Classic: 'The endpoints that systems of this kind have always had.',
  Monitoring: 'Queues, workers, statistics, health, metrics.',
  Documentation: 'This document.',
} as const

export type Tag = keyof typeof TAGS

/** A JSON Schema, or a reference to one below `components`. */
export type Schema = Record<string, unknown>

export interface Content {
  schema: Schema
  /** By name. */
  examples?: Record<string, unknown>
}

export interface Answer {
  description: string
  headers?: HeaderName[]
  /** By media type. */
  content?: Record<string, Content>
}

export interface Operation {
  method: 'get' | 'head' | 'post' | 'options'
  /** As in OpenAPI: `/v1/tasks/{id}`. */
  path: string
  id: string
  summary: string
  description?: string
  tag: Tag
  /** What a key must be allowed to do; null where no key is asked for. */
  scope: Scope | 'any key' | null
  /** The token that a submission was answered with will do instead of a key. */
  takesPollToken?: true
  parameters?: ParameterName[]
  query?: Query
  body?: { isRequired: boolean; content: Record<string, Content> }
  answers: Record<number, Answer>
  /** Beside those that every keyed operation has. */
  problems: ErrorCode[]
}

/** The schema that checks the query string, and a sentence for each of its parameters. */
export interface Query {
  schema: z.ZodObject
  descriptions: Record<string, string>
}

/** Makes forgetting a parameter an error of types. */
export function describedQuery<Shape extends z.ZodRawShape>(
  schema: z.ZodObject<Shape>,
  descriptions: Record<keyof Shape & string, string>,
): Query {
  return { schema, descriptions }
}

/** A body of one media type, JSON if nothing else is said. */
export function json(schema: Schema, examples?: Record<string, unknown>): Record<string, Content> {
  return { 'application/json': { schema, ...(examples && { examples }) } }
}

export const HTML_PAGE: Record<string, Content> = { 'text/html': { schema: { type: 'string' } } }

// Types of inputs, results and tasks, derived from the type of a project's configuration.
import type { Task, TaskStatus, TaskWithAttempts } from './task.ts'

/** A schema, as far as types are derived from it. Schemas of zod have this member (standardschema.dev). */
export interface AnySchema<Input = unknown, Output = unknown> {
  readonly '~standard': {
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** A task definition, as far as types are derived from it. */
export interface AnyDefinition {
  name: string
  input: AnySchema
  output: AnySchema
}

/** Type of the configuration of any project. */
export interface AnyProject {
  tasks: readonly AnyDefinition[]
}

/** Input of the task `http_request`. */
export interface HttpRequest {
  url: string
  /** Default: POST. */
  method?: HttpMethod
  headers?: Record<string, string>
  /** A string is sent unchanged, any other value as JSON. */
  body?: unknown
  expect?: {
    /** Statuses such as 200 and ranges such as `300-399`. Default: any 2xx. */
    status?: (number | string)[]
  }
}

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Result of the tasks `http_request` and `callback`. */
export interface HttpResult {
  status: number
  headers: Record<string, string>
  body: string
  body_truncated: boolean
  /** URL of the response, after redirects. */
  url: string
  duration_ms: number
}

/** The definition of Waggle itself that clients may submit. */
export interface HttpRequestDefinition {
  name: 'http_request'
  input: AnySchema<HttpRequest, HttpRequest & { method: HttpMethod }>
  output: AnySchema<HttpResult, HttpResult>
}

/** The definition whose tasks Waggle creates for a `callback_url`. */
export interface CallbackDefinition {
  name: 'callback'
  input: AnySchema<{ url: string; body: unknown }, { url: string; body: unknown }>
  output: AnySchema<HttpResult, HttpResult>
}

type Submittable<Project extends AnyProject> = Project['tasks'][number] | HttpRequestDefinition
type Known<Project extends AnyProject> = Submittable<Project> | CallbackDefinition
type Named<Definition extends AnyDefinition, Name> = Extract<Definition, { name: Name }>

/** Names of the definitions that clients may submit. */
export type SubmittableName<Project extends AnyProject> = Submittable<Project>['name']

/** Names of all definitions, of which clients can read tasks. */
export type KnownName<Project extends AnyProject> = Known<Project>['name']

/** What clients send as the input of this definition; `unknown` if the name is not known at compile time. */
export type InputOf<Project extends AnyProject, Name extends string> = [Named<Known<Project>, Name>] extends [
  never,
]
  ? unknown
  : TypesOf<Named<Known<Project>, Name>['input']>['input']

/** Result of a task of this definition; `unknown` if the name is not known at compile time. */
export type ResultOf<Project extends AnyProject, Name extends string> = [
  Named<Known<Project>, Name>,
] extends [never]
  ? unknown
  : TypesOf<Named<Known<Project>, Name>['output']>['output']

/** Stored input of a task of this definition: the parsed one. */
type StoredInputOf<Project extends AnyProject, Name extends string> = [Named<Known<Project>, Name>] extends [
  never,
]
  ? unknown
  : TypesOf<Named<Known<Project>, Name>['input']>['output']

type TypesOf<Schema extends AnySchema> = NonNullable<Schema['~standard']['types']>

/**
 * A task of one of the definitions with these names. `name` and `status` tell the type of `result`. The types are
 * those of the current code: tasks that older code has accepted can differ, also in their names.
 */
export type TaskOf<
  Project extends AnyProject,
  Name extends string = KnownName<Project>,
  Base extends Task = Task,
> = string extends Name
  ? Base
  : Name extends unknown
    ? (Typed<Project, Name, Base> & Success<Project, Name>) | (Typed<Project, Name, Base> & Unsuccessful)
    : never

/** A task that has ended, see `TaskOf`. */
export type EndedTask<
  Project extends AnyProject = AnyProject,
  Name extends string = KnownName<Project>,
> = Name extends unknown
  ?
      | (Typed<Project, Name, TaskWithAttempts> & Success<Project, Name>)
      | (Typed<Project, Name, TaskWithAttempts> & Unsuccessful<'FAILURE' | 'CANCELLED'>)
  : never

type Typed<Project extends AnyProject, Name extends string, Base extends Task> = Omit<
  Base,
  'name' | 'input' | 'status' | 'result'
> & { name: Name; input: StoredInputOf<Project, Name> }

interface Success<Project extends AnyProject, Name extends string> {
  status: 'SUCCESS'
  result: ResultOf<Project, Name>
}

interface Unsuccessful<Status extends TaskStatus = Exclude<TaskStatus, 'SUCCESS'>> {
  status: Status
  result: null
}

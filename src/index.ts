// The package as projects import it.

export type { ApiEnv } from './api/http/request-context.ts'
export type { ExampleRequest, Operation, Operations, ProjectOperations } from './api/openapi/operation.ts'
export type { ProjectRoutes, RouteTools, SubmittedByRoute } from './api/project-routes.ts'
export type { TaskView } from './api/tasks/task-view.ts'
export {
  defineTask,
  type Isolation,
  PermanentError,
  RetryLaterError,
  SnoozeError,
  type TaskContext,
  type TaskDefinition,
} from './definitions/define.ts'
export type {
  AttemptErrorEvent,
  AttemptEvent,
  HookError,
  Hooks,
  HookTask,
} from './definitions/hooks.ts'
export type { ConcurrencyLimit, Priority, RateLimit } from './definitions/limits.ts'
export type { CatchUp, Overlap, Schedule } from './definitions/schedule.ts'
// With `*`, so that projects can add members to `Register`.
export * from './definitions/services.ts'
export type { Unique } from './definitions/unique.ts'
export { defineConfig, type WaggleConfig } from './project/define-config.ts'

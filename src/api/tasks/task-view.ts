// Converts rows and definitions to the JSON that the API returns: names in snake_case, times in RFC 3339
// (UTC).
import { z } from 'zod'
import { parseExactly } from '../../base/exact-json.ts'
import type { TaskDefinition } from '../../definitions/define.ts'
import type { ConcurrencyLimit } from '../../definitions/limits.ts'
import { markSensitive } from '../../definitions/sensitive.ts'
import { isFinal } from '../../definitions/task-status.ts'
import { MAX_AHEAD, type Wait } from '../../store/held/held-reader.ts'
import type { NewTask } from '../../store/new-tasks.ts'
import type { AttemptRow, RefusedEnd, TaskLogRow, TaskRow } from '../../store/schema.ts'
import type { CompactRow } from '../../store/task-list.ts'
import type {
  attempt,
  compactTask,
  definition,
  JsonSchema,
  logLine,
  task,
  taskWithAttempts,
} from './task-schemas.ts'

export type AttemptView = z.infer<typeof attempt>
export type TaskView = z.infer<typeof task>
export type CompactTaskView = z.infer<typeof compactTask>
export type DefinitionView = z.infer<typeof definition>

export function viewOfTask(row: TaskRow): TaskView {
  return {
    id: row.id,
    name: row.name,
    queue: row.queue,
    status: row.status,
    input: row.input,
    result: row.result ?? null,
    error: row.error,
    progress: { fraction: row.progressFraction, message: row.progressMessage },
    attempt: row.attempt,
    failures: row.failures,
    max_retries: row.maxRetries,
    timeout_seconds: row.timeoutMs / 1_000,
    tags: row.tags,
    priority: row.priority ?? 'normal',
    expires_at: row.expiresAt?.toISOString() ?? null,
    run_at: row.runAt.toISOString(),
    created_at: row.createdAt.toISOString(),
    started_at: row.startedAt?.toISOString() ?? null,
    finished_at: row.finishedAt?.toISOString() ?? null,
    worker_id: row.workerId,
    is_isolated: row.isIsolated,
    cancel_requested_at: row.cancelRequestedAt?.toISOString() ?? null,
    replayed_from: row.replayedFrom,
    parent_id: row.parentId,
    callback_url: row.callbackUrl,
    callback_id: row.callbackId,
    is_final: isFinal(row.status),
    request_id: row.requestId,
    traceparent: row.traceparent,
    links: linksOf(row.id),
  }
}

export function compactViewOfTask(row: CompactRow): CompactTaskView {
  const { input: _input, result: _result, ...rest } = viewOfTask({ ...row, input: null, result: null })
  return { ...rest, input_excerpt: row.inputExcerpt, result_excerpt: row.resultExcerpt }
}

/** Returns the view of a task right after its submission, without reading the inserted row from Postgres. */
export function viewOfNewTask(task: NewTask): TaskView {
  const createdAt = task.createdAt.toISOString()
  return {
    id: task.id,
    name: task.name,
    queue: task.queue,
    status: 'PENDING',
    input: task.input,
    result: null,
    error: null,
    progress: { fraction: 0, message: null },
    attempt: 0,
    failures: 0,
    max_retries: task.maxRetries,
    timeout_seconds: task.timeoutMs / 1_000,
    tags: task.tags,
    priority: task.hold?.priority ?? 'normal',
    expires_at: task.hold?.expiresAt?.toISOString() ?? null,
    run_at: task.runAt?.toISOString() ?? createdAt,
    created_at: createdAt,
    started_at: null,
    finished_at: null,
    worker_id: null,
    is_isolated: task.isIsolated ?? false,
    cancel_requested_at: null,
    replayed_from: task.replayedFrom ?? null,
    parent_id: task.parentId ?? null,
    callback_url: task.callbackUrl ?? null,
    callback_id: null,
    is_final: false,
    request_id: task.requestId ?? null,
    traceparent: task.traceparent ?? null,
    links: linksOf(task.id),
  }
}

function linksOf(id: string): TaskView['links'] {
  const self = `/v1/tasks/${id}`
  return {
    self,
    events: `${self}/events`,
    logs: `${self}/logs`,
    cancel: `${self}/cancel`,
    retry: `${self}/retry`,
    replay: `${self}/replay`,
  }
}

export function viewOfAttempt(row: AttemptRow): AttemptView {
  return {
    attempt: row.attempt,
    error: row.error,
    worker_id: row.workerId,
    started_at: row.startedAt?.toISOString() ?? null,
    ended_at: row.endedAt.toISOString(),
    refused: row.refused && viewOfRefusedEnd(row.refused),
  }
}

function viewOfRefusedEnd(end: RefusedEnd): AttemptView['refused'] {
  const { at, status, result, isResultCut = false, error = null, log } = end
  return {
    at,
    status,
    result: result === undefined || isResultCut ? null : parseExactly(result),
    result_excerpt: isResultCut && result !== undefined ? result : null,
    error,
    log,
  }
}

export function viewOfLogLine(row: TaskLogRow): z.infer<typeof logLine> {
  return {
    id: row.id,
    attempt: row.attempt,
    at: row.at.toISOString(),
    message: row.message,
    fields: row.fields,
  }
}

export function viewOfDefinition(definition: TaskDefinition): DefinitionView {
  return {
    name: definition.name,
    title: definition.title,
    description: definition.description,
    queue: definition.queue,
    max_retries: definition.maxRetries,
    timeout_seconds: definition.timeoutMs / 1_000,
    isolated: isolationOf(definition),
    priority: definition.priority,
    concurrency: limitOf(definition.concurrency),
    rate_limit: definition.rateLimit
      ? { ...limitOf(definition.rateLimit), per_seconds: definition.rateLimit.perSeconds }
      : null,
    input_schema: schemaOf(definition.input),
    output_schema: schemaOf(definition.output),
    example: definition.example,
  }
}

function isolationOf({ isolate }: TaskDefinition): DefinitionView['isolated'] {
  if (!isolate) return null
  return {
    memory_mb: isolate.memoryMb,
    kill_grace_seconds: isolate.killGraceMs / 1_000,
    max_attempts_per_process: isolate.maxAttemptsPerProcess,
  }
}

function limitOf<Limit extends ConcurrencyLimit | undefined>(limit: Limit) {
  return (limit ? { limit: limit.limit, is_keyed: limit.key !== undefined } : null) as Limit extends undefined
    ? null
    : { limit: number; is_keyed: boolean }
}

export function viewOfWait(wait: Wait | null): z.infer<typeof taskWithAttempts>['waits_for'] {
  return wait && { ...wait, message: messageOfWait(wait) }
}

function messageOfWait({ reason, scope, key, ahead }: Wait): string {
  const before = `${ahead === MAX_AHEAD ? 'at least ' : ''}${ahead} before it`
  if (reason === 'due') return 'waits for its time'
  if (reason === 'paused') return 'waits because its queue is paused'
  if (reason === 'turn') return `waits for its turn, ${before}`
  const of = key !== null ? `${reason} key ${key}` : `the ${reason} limit of its ${scope}`
  return reason === 'rate' ? `waits for a start of ${of}, ${before}` : `waits for a slot of ${of}, ${before}`
}

/**
 * Converts a zod schema to JSON Schema. It describes values as clients send them, before zod adds defaults.
 */
export function schemaOf(schema: z.ZodType): JsonSchema {
  // The cast is safe: zod's return type also allows `true` and `false` as schemas of members, but zod writes
  // none for object schemas.
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => markSensitive(jsonSchema),
  }) as JsonSchema
}

// Inserts tasks, with and without idempotency keys.
import type { SQL } from 'drizzle-orm'
import { isAppError } from '../base/errors.ts'
import {
  type BatchStatement,
  booleans,
  type Column,
  doubles,
  integers,
  texts,
  timestamps,
  uuids,
} from './columns.ts'
import type { Database } from './database.ts'
import { NoAnswerError } from './database-errors.ts'
import { inArray, sql } from './drizzle.ts'
import { openGroups } from './held/hold-tasks.ts'
import type { Transaction } from './lanes.ts'
import {
  type FirstSubmission,
  type HasBacklog,
  inputTextOf,
  type NewTask,
  type OnceResult,
  type OnceTask,
  storedPriority,
} from './new-tasks.ts'
import { idempotencyKeys } from './schema.ts'
import { storedRequestId } from './task-columns.ts'

const NO_BACKLOG: HasBacklog = () => false

/**
 * Inserts all tasks or none. Marks tasks as enqueued, except those that have a `runAt` or whose queue has a
 * backlog; the caller must enqueue the marked ones.
 * @returns for each task when it was marked, in ms since 1970 by the clock of Postgres; null if it was not
 */
export async function insertTasks(
  database: Database,
  newTasks: NewTask[],
  hasBacklog = NO_BACKLOG,
): Promise<(number | null)[]> {
  const waits = waitsOf(newTasks, hasBacklog)
  const columns = columnsOf(newTasks, waits)
  const [row] = await insertWith<{ nowMs: number }>(database, newTasks, columns, [
    INSERT_TASKS,
    INSERT_HELD_TASKS,
  ])
  const nowMs = row?.nowMs ?? null
  return waits.map((isWaiting) => (isWaiting ? null : nowMs))
}

/**
 * Inserts the tasks whose idempotency key is new, and marks them like `insertTasks`. Returns the first
 * submission of the key for each other task. If an earlier call was committed but its response was lost, a
 * repeated call gets the submitted task itself as the first; the reconciler of a worker then enqueues it.
 */
export async function insertTasksOnce(
  database: Database,
  newTasks: OnceTask[],
  hasBacklog = NO_BACKLOG,
): Promise<OnceResult[]> {
  // Keys are inserted in a fixed order, so that two processes with the same keys cannot deadlock.
  const sorted = newTasks.toSorted((a, b) => (a.idempotency.key < b.idempotency.key ? -1 : 1))
  const columns = {
    ...columnsOf(sorted, waitsOf(sorted, hasBacklog)),
    key: uuids(sorted.map(({ idempotency }) => idempotency.key)),
    fingerprint: uuids(sorted.map(({ idempotency }) => idempotency.fingerprint)),
  }
  // If a concurrent transaction inserts the same key, this statement waits until that transaction has ended,
  // so that `findFirst` sees the row of that transaction.
  const inserted = await insertWith<{ id: string; enqueuedAtMs: number | null }>(database, sorted, columns, [
    INSERT_TASKS_ONCE,
    INSERT_HELD_TASKS_ONCE,
  ])
  const insertedById = new Map(inserted.map((row) => [row.id, row]))
  const others = newTasks.filter(({ id }) => !insertedById.has(id))
  const firsts = others.length > 0 ? await findFirst(database, others) : []
  const firstByKey = new Map(firsts.map((first) => [first.key, first]))
  // A key that expires right now can be deleted between the two statements. Its task is inserted after all.
  const expired = others.filter(({ idempotency }) => !firstByKey.has(idempotency.key))
  const late = expired.length > 0 ? await insertTasksOnce(database, expired, hasBacklog) : []
  const lateById = new Map(expired.map(({ id }, index) => [id, late[index]]))
  return newTasks.map(({ id, idempotency }) => {
    const row = insertedById.get(id)
    if (row) return { first: null, enqueuedAtMs: row.enqueuedAtMs }
    const first = firstByKey.get(idempotency.key)
    return first ? { first, enqueuedAtMs: null } : (lateById.get(id) as OnceResult)
  })
}

/**
 * Runs the first statement, or the second one if a task is held. Then the groups of the tasks are opened first, in
 * the same transaction.
 */
function insertWith<Row>(
  database: Database,
  newTasks: NewTask[],
  columns: Record<string, Column>,
  [plain, withHeld]: [BatchStatement, BatchStatement],
): Promise<Row[]> {
  if (!newTasks.some(({ hold }) => hold)) return database.run(plain, columns)
  return database.transaction(async (transaction) =>
    transaction.run<Row>(withHeld, { ...columns, ...(await heldColumnsOf(transaction, newTasks)) }),
  )
}

async function heldColumnsOf(transaction: Transaction, newTasks: NewTask[]): Promise<Record<string, Column>> {
  const held = newTasks.flatMap(({ hold, ...task }) => (hold ? [{ ...task, hold }] : []))
  const ids = await openGroups(transaction, held)
  return holdColumnsOf(newTasks, new Map(held.map(({ id }, index) => [id, ids[index]])))
}

function holdColumnsOf(
  newTasks: NewTask[],
  groupIds: ReadonlyMap<string, number | undefined>,
): Record<string, Column> {
  return {
    group_id: doubles(newTasks.map(({ id }) => groupIds.get(id))),
    concurrency_key: texts(newTasks.map(({ hold }) => hold?.concurrencyKey)),
    priority: texts(newTasks.map(storedPriority)),
    expires_at: timestamps(newTasks.map(({ hold }) => hold?.expiresAt)),
  }
}

/**
 * Inserts tasks in a transaction that has locked other rows. It locks no groups: tasks with `hold` are marked
 * as enqueued, and the caller must hold them after the commit.
 * @returns like `insertTasks`
 */
export async function insertInTransaction(
  transaction: Transaction,
  newTasks: NewTask[],
  hasBacklog = NO_BACKLOG,
): Promise<(number | null)[]> {
  const waits = newTasks.map((task) => !task.hold && (task.runAt !== undefined || hasBacklog(task)))
  const columns = columnsOf(newTasks, waits)
  const [row] = newTasks.some(({ hold }) => hold)
    ? await transaction.run<{ nowMs: number }>(INSERT_HELD_TASKS, {
        ...columns,
        ...holdColumnsOf(newTasks, new Map()),
      })
    : await transaction.run<{ nowMs: number }>(INSERT_TASKS, columns)
  return waits.map((isWaiting) => (isWaiting ? null : (row?.nowMs ?? null)))
}

/**
 * Which of these tasks are not marked as enqueued: the dispatcher of a worker enqueues them later, or workers claim
 * them as held tasks.
 */
function waitsOf(newTasks: NewTask[], hasBacklog: HasBacklog): boolean[] {
  return newTasks.map((task) => task.runAt !== undefined || task.hold !== undefined || hasBacklog(task))
}

/**
 * Returns what is stored of the first submissions with the keys of these tasks; keys that do not exist are
 * left out.
 */
export async function findFirst(
  database: Database,
  newTasks: Pick<OnceTask, 'idempotency'>[],
): Promise<FirstSubmission[]> {
  const keys = newTasks.map(({ idempotency }) => idempotency.key)
  try {
    return await database.reads.use((drizzle) =>
      drizzle.select().from(idempotencyKeys).where(inArray(idempotencyKeys.key, keys)),
    )
  } catch (cause) {
    // The new tasks of this batch are committed. `unavailable` would say that nothing was accepted.
    if (isAppError(cause, 'unavailable')) throw new NoAnswerError('The idempotency keys were not read', cause)
    throw cause
  }
}

function columnsOf(newTasks: NewTask[], waits: boolean[]): Record<string, Column> {
  const each = <Value>(value: (task: NewTask) => Value) => newTasks.map(value)
  const requestIds = each(({ requestId }) => storedRequestId(requestId))
  return {
    id: uuids(each(({ id }) => id)),
    name: texts(each(({ name }) => name)),
    queue: texts(each(({ queue }) => queue)),
    input: texts(each(inputTextOf)),
    max_retries: integers(each(({ maxRetries }) => maxRetries)),
    timeout_ms: integers(each(({ timeoutMs }) => timeoutMs)),
    is_isolated: booleans(each(({ isIsolated }) => isIsolated || undefined)),
    tags: texts(each(({ tags }) => (tags.length > 0 ? JSON.stringify(tags) : undefined))),
    created_at: timestamps(each(({ createdAt }) => createdAt)),
    run_at: timestamps(each(({ runAt }) => runAt)),
    waits: booleans(waits.map((isWaiting) => isWaiting || undefined)),
    request_uuid: uuids(requestIds.map(({ uuid }) => uuid)),
    request_text: texts(requestIds.map(({ text }) => text)),
    traceparent: texts(each(({ traceparent }) => traceparent)),
    callback_url: texts(each(({ callbackUrl }) => callbackUrl)),
    replayed_from: uuids(each(({ replayedFrom }) => replayedFrom)),
    parent_id: uuids(each(({ parentId }) => parentId)),
  }
}

/**
 * Inserts tasks. For a task without `run_at`, the column is set to the time of the submission or the current
 * time of Postgres, whichever is earlier. So the task is due for the dispatcher if it is not enqueued, even
 * if the clock of this process is ahead.
 */
const insertInto = (rows: SQL, [moreColumns, moreValues, enqueuedAt] = PLAIN) => sql`
  insert into tasks (id, name, queue, status, input, max_retries, timeout_ms, is_isolated, tags, created_at, run_at,
                     enqueued_at, request_uuid, request_text, traceparent, callback_url, replayed_from, parent_id${moreColumns})
  select id, name, queue, 'PENDING', input::json, max_retries, timeout_ms, coalesce(is_isolated, false),
         case when tags is not null then array(select json_array_elements_text(tags::json)) end, created_at,
         coalesce(run_at, least(created_at, now())), ${enqueuedAt},
         request_uuid, request_text, traceparent, callback_url, replayed_from, parent_id${moreValues}
  from ${rows}`

type Parts = [moreColumns: SQL, moreValues: SQL, enqueuedAt: SQL]
const PLAIN: Parts = [sql``, sql``, sql`case when waits is null then now() end`]
const WITH_HELD: Parts = [
  sql`, priority, expires_at`,
  sql`, priority, expires_at`,
  sql`case when group_id is not null then 'infinity' when waits is null then now() end`,
]

/** Inserts the rows of held tasks into `held_tasks`. */
const insertHeld = (rows: SQL) => sql`
  insert into held_tasks (task_id, group_id, queue, name, concurrency_key, due_at, expires_at)
  select id, group_id::bigint, queue, name, concurrency_key, coalesce(run_at, least(created_at, now())), expires_at
  from ${rows}`

/**
 * Returns the time of Postgres once instead of the rows: all rows that it marks as enqueued have this time.
 */
const NOW = sql`select extract(epoch from now())::float8 * 1000 as "nowMs"`

const INSERT_TASKS: BatchStatement = {
  name: 'insert_tasks',
  build: (rows) => sql`with inserted as (${insertInto(rows)}) ${NOW}`,
}

const INSERT_HELD_TASKS: BatchStatement = {
  name: 'insert_held_tasks',
  build: (rows) => sql`
    with given as materialized (select * from ${rows}), inserted as (${insertInto(sql`given`, WITH_HELD)}),
    held as (${insertHeld(sql`given where group_id is not null`)}) ${NOW}`,
}

/**
 * Skips tasks whose idempotency key exists. `is true` makes Postgres look up the inserted keys in a hash table:
 * otherwise it would join all given rows with all of them, row by row.
 */
const NEW_KEYS = (rows: SQL) => sql`
  given as materialized (select * from ${rows}), keyed as (
    insert into idempotency_keys (key, fingerprint, task_id, run_at, request_id, traceparent)
    select key, fingerprint, id, run_at, coalesce(request_uuid::text, request_text), traceparent from given
    on conflict do nothing
    returning task_id
  )`
const HAS_NEW_KEY = sql`(id in (select task_id from keyed)) is true`
const INSERTED_ONCE = sql`returning id, extract(epoch from enqueued_at)::float8 * 1000 as "enqueuedAtMs"`

const INSERT_TASKS_ONCE: BatchStatement = {
  name: 'insert_tasks_once',
  build: (rows) =>
    sql`with ${NEW_KEYS(rows)} ${insertInto(sql`given where ${HAS_NEW_KEY}`)} ${INSERTED_ONCE}`,
}

const INSERT_HELD_TASKS_ONCE: BatchStatement = {
  name: 'insert_held_tasks_once',
  build: (rows) => sql`
    with ${NEW_KEYS(rows)}, held as (${insertHeld(sql`given where ${HAS_NEW_KEY} and group_id is not null`)}),
    inserted as (${insertInto(sql`given where ${HAS_NEW_KEY}`, WITH_HELD)} returning id, enqueued_at)
    select id, extract(epoch from nullif(enqueued_at, 'infinity'))::float8 * 1000 as "enqueuedAtMs" from inserted`,
}

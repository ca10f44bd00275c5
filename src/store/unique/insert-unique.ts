// Inserts unique tasks, or changes the tasks that they meet. One transaction: it locks the keys of the tasks,
// so that no other submission or retry of the same keys decides meanwhile, then reads the tasks of these
// keys, decides, and writes. It locks in this order: idempotency keys, keys, tasks. It locks no groups of
// held tasks, because claims lock groups before tasks: held tasks are held after the commit.
import { type BatchStatement, booleans, IS_GIVEN, texts, timestamps, uuids } from '../columns.ts'
import type { Database } from '../database.ts'
import { sql } from '../drizzle.ts'
import { findFirst, insertInTransaction } from '../insert-tasks.ts'
import type { Transaction } from '../lanes.ts'
import type { HasBacklog, OnceTask, UniqueResult, UniqueTask } from '../new-tasks.ts'
import type { TaskRow } from '../schema.ts'
import { selected, storedRequestId, TASK_COLUMNS } from '../task-columns.ts'
import { FIND } from '../task-reader.ts'
import { changeTasks, logReplaced } from './change-tasks.ts'
import { keyTextOf, type LockedKey, lockKeys, takeKeys } from './key-locks.ts'
import { type KeyPlan, planKey } from './plan.ts'

const NO_BACKLOG: HasBacklog = () => false

/** Tasks of one key, in the order of their submission. */
type Group = [UniqueTask, ...UniqueTask[]]

/**
 * Inserts unique tasks or changes those that they meet, all or nothing. For a task whose idempotency key
 * exists it does nothing else, and returns the first submission of that key. The caller must enqueue the
 * tasks that are marked as enqueued, and hold those in `toHold`.
 * @returns one result per task
 */
export async function insertUniqueTasks(
  database: Database,
  tasks: UniqueTask[],
  hasBacklog = NO_BACKLOG,
): Promise<UniqueResult[]> {
  const results = await database.transaction(async (transaction) => {
    const fresh = await insertKeys(transaction, tasks)
    const inserted = await insertUnique(transaction, fresh, hasBacklog)
    await completeKeys(transaction, fresh, inserted)
    return new Map(fresh.map(({ id }, index) => [id, inserted[index] as UniqueResult]))
  })
  const repeated = tasks.filter((task) => !results.has(task.id)) as (UniqueTask & OnceTask)[]
  if (repeated.length > 0) {
    const firsts = await findFirst(database, repeated)
    const firstByKey = new Map(firsts.map((first) => [first.key, first]))
    // A key that expires right now can be deleted between the two statements. Its task is inserted after all.
    const expired = repeated.filter(({ idempotency }) => !firstByKey.has(idempotency.key))
    const late = expired.length > 0 ? await insertUniqueTasks(database, expired, hasBacklog) : []
    for (const [index, { id }] of expired.entries()) results.set(id, late[index] as UniqueResult)
    for (const { id, idempotency } of repeated) {
      const first = firstByKey.get(idempotency.key)
      if (first) results.set(id, { ...NOTHING, first })
    }
  }
  return tasks.map(({ id }) => results.get(id) as UniqueResult)
}

const NOTHING: UniqueResult = {
  first: null,
  created: null,
  existing: null,
  enqueuedAtMs: null,
  toHold: [],
}

/**
 * Like `insertUniqueTasks`, without idempotency keys and in a transaction of the caller, which has locked no
 * tasks and no groups before.
 */
export async function insertUnique(
  transaction: Transaction,
  tasks: readonly UniqueTask[],
  hasBacklog = NO_BACKLOG,
): Promise<UniqueResult[]> {
  if (tasks.length === 0) return []
  const groups = [...Map.groupBy(tasks, keyTextOf).values()] as Group[]
  const keys = await lockKeys(
    transaction,
    groups.map(([first]) => first),
  )
  const rows = await readTasksOf(transaction, groups, keys)
  const plans = groups.map((group) => {
    const key = keys.get(keyTextOf(group[0])) as LockedKey
    return planKey(group, key, rows.get(key.taskId))
  })
  const created = plans.flatMap((plan) => plan.created ?? [])
  const lost = created.filter((task) => keys.get(keyTextOf(task))?.taskId !== task.id)
  await takeKeys(transaction, lost)
  const marks = created.length > 0 ? await insertInTransaction(transaction, created, hasBacklog) : []
  const toHold = await changeTasks(
    transaction,
    plans.flatMap(({ change }) => change ?? []),
  )
  await logReplaced(
    transaction,
    plans.flatMap(({ replaced }) => replaced),
  )
  const existing = await readExisting(transaction, groups, plans, rows)
  const marksById = new Map(created.map(({ id }, index) => [id, marks[index] ?? null]))
  const results = new Map(
    groups.flatMap((group, index) => {
      const plan = plans[index] as KeyPlan
      return group.map(({ id }) => [id, resultOf(id, plan)] as const)
    }),
  )
  return tasks.map(({ id }) => results.get(id) as UniqueResult)

  function resultOf(id: string, { created, change, taskId }: KeyPlan): UniqueResult {
    if (created?.id === id) {
      const { hold } = created
      const enqueuedAtMs = marksById.get(id) ?? null
      if (!hold) return { ...NOTHING, created, enqueuedAtMs }
      return {
        ...NOTHING,
        created,
        toHold: [{ ...created, hold, attempt: 0, enqueuedAtMs: enqueuedAtMs ?? undefined }],
      }
    }
    const isLast = change?.by.id === id
    return {
      ...NOTHING,
      existing: existing.get(taskId) ?? null,
      toHold: isLast ? toHold.filter((task) => task.id === taskId) : [],
    }
  }
}

/**
 * Reads the tasks of the keys that had one. Locks those that submissions may change: a claim that waits for
 * the lock starts the task with the new input, and one that does not has started it already.
 */
async function readTasksOf(
  transaction: Transaction,
  groups: readonly Group[],
  keys: ReadonlyMap<string, LockedKey>,
): Promise<Map<string, TaskRow>> {
  const met = groups.flatMap((group) => {
    const id = keys.get(keyTextOf(group[0]))?.taskId ?? group[0].id
    return id === group[0].id
      ? []
      : [{ id, mayChange: group.some(({ unique }) => unique.onConflict !== 'existing') }]
  })
  const toLock = met.filter(({ mayChange }) => mayChange).map(({ id }) => id)
  const toRead = met.filter(({ mayChange }) => !mayChange).map(({ id }) => id)
  const rows = [
    ...(toLock.length > 0 ? await transaction.run<TaskRow>(LOCK, { id: uuids(toLock) }) : []),
    ...(toRead.length > 0 ? await transaction.run<TaskRow>(FIND, { id: uuids(toRead) }) : []),
  ]
  return new Map(rows.map((row) => [row.id, row]))
}

/** Returns the tasks that submissions have met, as they are now. */
async function readExisting(
  transaction: Transaction,
  groups: readonly Group[],
  plans: readonly KeyPlan[],
  rows: ReadonlyMap<string, TaskRow>,
): Promise<Map<string, TaskRow>> {
  const changed = plans.filter(
    ({ created, change }, index) => change || (created && (groups[index]?.length ?? 0) > 1),
  )
  if (changed.length === 0) return new Map(rows)
  const read = await transaction.run<TaskRow>(FIND, { id: uuids(changed.map(({ taskId }) => taskId)) })
  return new Map([...rows, ...read.map((row) => [row.id, row] as const)])
}

const LOCK: BatchStatement = {
  name: 'lock_unique_tasks',
  build: (rows) => sql`
    select ${selected(TASK_COLUMNS)} from ${rows} join tasks on ${IS_GIVEN} order by given.id for update of tasks`,
}

/** Inserts the idempotency keys of tasks. @returns the tasks whose key is new, and those without a key */
async function insertKeys(transaction: Transaction, tasks: UniqueTask[]): Promise<UniqueTask[]> {
  const keyed = tasks.filter((task): task is UniqueTask & OnceTask => task.idempotency !== undefined)
  if (keyed.length === 0) return tasks
  // Keys are inserted in a fixed order, so that two processes with the same keys cannot deadlock.
  const sorted = keyed.toSorted((a, b) => (a.idempotency.key < b.idempotency.key ? -1 : 1))
  const requestIds = sorted.map(({ requestId }) => storedRequestId(requestId))
  const inserted = await transaction.run<{ id: string }>(INSERT_KEYS, {
    key: uuids(sorted.map(({ idempotency }) => idempotency.key)),
    fingerprint: uuids(sorted.map(({ idempotency }) => idempotency.fingerprint)),
    id: uuids(sorted.map(({ id }) => id)),
    request_id: texts(requestIds.map(({ uuid, text }) => uuid ?? text)),
    traceparent: texts(sorted.map(({ traceparent }) => traceparent)),
  })
  const ids = new Set(inserted.map(({ id }) => id))
  return tasks.filter(({ id, idempotency }) => idempotency === undefined || ids.has(id))
}

const INSERT_KEYS: BatchStatement = {
  name: 'insert_idempotency_keys',
  build: (rows) => sql`
    insert into idempotency_keys (key, fingerprint, task_id, request_id, traceparent)
    select key, fingerprint, id, request_id, traceparent from ${rows}
    on conflict do nothing
    returning task_id as id`,
}

/**
 * Writes into idempotency keys what was not known when they were inserted: the task that was met, and the
 * start.
 */
async function completeKeys(
  transaction: Transaction,
  tasks: readonly UniqueTask[],
  results: readonly UniqueResult[],
): Promise<void> {
  const outcomes = tasks.flatMap(({ idempotency, id }, index) => {
    const { existing = null, created = null } = results[index] ?? {}
    if (!idempotency || (existing === null && created?.runAt === undefined)) return []
    return [
      {
        key: idempotency.key,
        taskId: existing?.id ?? id,
        runAt: created?.runAt,
        isExisting: existing !== null,
      },
    ]
  })
  if (outcomes.length === 0) return
  await transaction.run(COMPLETE_KEYS, {
    key: uuids(outcomes.map(({ key }) => key)),
    task_id: uuids(outcomes.map(({ taskId }) => taskId)),
    run_at: timestamps(outcomes.map(({ runAt }) => runAt)),
    is_existing: booleans(outcomes.map(({ isExisting }) => isExisting || undefined)),
  })
}

const COMPLETE_KEYS: BatchStatement = {
  name: 'complete_idempotency_keys',
  build: (rows) => sql`
    update idempotency_keys set task_id = given.task_id, run_at = given.run_at, is_existing = given.is_existing
    from ${rows} where idempotency_keys.key = given.key`,
}

// Frequent statements read only their own rows, although each connection has planned them while the tables were
// empty: the plan of a statement is made once, for all partitions.
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { newId } from '../../src/base/uuidv7.ts'
import { completeSchedule } from '../../src/definitions/schedule.ts'
import { createCallbackStore } from '../../src/store/callback-store.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { createDispatchStore } from '../../src/store/dispatch-store.ts'
import { sql } from '../../src/store/drizzle.ts'
import { createDueScheduleStore } from '../../src/store/due-schedules.ts'
import { createLimitStore } from '../../src/store/held/limit-store.ts'
import { createLogStore } from '../../src/store/log-store.ts'
import { createQueueStore } from '../../src/store/queue-store.ts'
import { createScheduleStore } from '../../src/store/schedule-store.ts'
import { createTaskReader } from '../../src/store/task-reader.ts'
import { createTaskStore } from '../../src/store/task-store.ts'
import { createUniqueStore } from '../../src/store/unique/unique-store.ts'
import { createWorkerStore } from '../../src/store/worker-store.ts'
import { recordPlans, rowsReadBy, scansOf } from '../support/executed-plans.ts'
import { createNewTasks } from '../support/new-tasks.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const DAY_MS = 86_400_000
// The tasks of the test are in this many partitions, which begin today.
const DAYS = 8
const ROWS = 24_000
const BATCH = 30
const workerId = newId()
const error = { name: 'Error', message: 'no', retryable: true }
const todayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS

/** The id of row number `n` of a group: ids are spread over all partitions and over the whole of each day. */
const timeOf = (n: number) => todayMs + (n % DAYS) * DAY_MS + ((n * 7_919) % 86_000) * 1_000

// PGlite is skipped: it does not keep plans.
const onServer = describe.skipIf(inject('postgresUrl') === null)
const kinds = ['new', 'vacuumed'] as const

// Postgres assumes that a new table has ten pages, and that a vacuumed one is as empty as it was.
onServer.each(kinds)('with plans that were made while the tables were empty and %s', (kind) => {
  let testDatabase: TestDatabase
  let recorded: ReturnType<typeof recordPlans>
  let database: Database
  let calls: Record<string, { run: () => Promise<unknown>; rows: number; lookups: number }>
  let partitions = 0

  beforeAll(async () => {
    testDatabase = await createTestDatabase()
    recorded = recordPlans(testDatabase.url)
    // One connection per lane, so that every call uses the plan of the first one.
    database = await openDatabase(recorded.url, { poolSize: 1 })
    const [row] = await database.query<{ count: number }>(
      sql`select count(*)::int as count from pg_inherits where inhparent = 'tasks'::regclass`,
    )
    partitions = row?.count ?? 0
    calls = callsOf(database)
    if (kind === 'vacuumed') await database.query(sql`vacuum tasks, attempts, task_logs`)
    for (const { run } of Object.values(calls)) await run()
    await fill()
  })
  afterAll(async () => {
    await database?.close()
    recorded?.stop()
    await testDatabase?.drop()
  })

  test.each([
    'insert',
    'claim',
    'insert log lines',
    'heartbeat',
    'finish',
    'finish with errors',
    'keep refused ends',
    'cancel',
    'retry',
    'isolate',
    'clear enqueued',
    'find',
    'find changed',
    'find sizes',
    'find status',
    'list attempts',
    'list log lines',
    'find due',
    'find lost',
    'find the next due',
    'find isolated',
    'states of queues',
    'insert held',
    'hold',
    'start held',
    'finish held',
    'inputs',
    'expire',
    'insert unique',
    'meet unique',
    'replace unique',
    'retry unique',
    'states of unique',
    'find ended',
    'create callbacks',
    'find due schedules',
    'make scheduled tasks',
    'list runs of a schedule',
    'resume',
  ])('%s', async (name) => {
    const { run, rows, lookups } = calls[name] as (typeof calls)[string]
    recorded.plans.length = 0
    await run()
    expect(recorded.plans.length).toBeGreaterThan(0)
    const scans = recorded.plans
      .flatMap(({ root }) => scansOf(root))
      .filter((scan) => /^(tasks|attempts|task_logs)_/.test(scan['Relation Name'] ?? ''))
    const read = {
      rows: rowsReadBy(scans),
      lookups: scans.reduce((sum, scan) => sum + scan['Actual Loops'], 0),
    }
    expect.soft(read.rows).toBeLessThanOrEqual(rows)
    expect.soft(read.lookups).toBeLessThanOrEqual(lookups + partitions)
    expect(scans.map((scan) => scan['Node Type'])).not.toContain('Seq Scan')
  })

  test('each frequent statement has a name, and the plan does not depend on its parameters', async () => {
    for (const { run } of Object.values(calls)) await run()
    for (const lane of [database, database.reads]) {
      const statements = await lane.query<{ name: string; generic: number; custom: number }>(sql`
        select name, generic_plans::int as generic, custom_plans::int as custom from pg_prepared_statements`)
      expect(statements.length).toBeGreaterThanOrEqual(lane === database ? 15 : 6)
      expect(statements.filter(({ generic, custom }) => generic < 2 || custom > 0)).toEqual([])
    }
    recorded.plans.length = 0
    const names = new Set<string>()
    for (const { run } of Object.values(calls)) await run()
    const known = await Promise.all(
      [database, database.reads].map((lane) =>
        lane.query<{ text: string }>(sql`select statement as text from pg_prepared_statements`),
      ),
    )
    for (const { text } of known.flat()) names.add(text)
    const unnamed = recorded.plans.filter(({ text }) => !names.has(text))
    expect(unnamed.filter(({ text }) => /\b(tasks|attempts|task_logs)\b/.test(text))).toEqual([])
  })

  /** Ids of rows that `fill` has inserted, of one group. Each call takes others. */
  function ids(group: Group, count = BATCH): string[] {
    const from = taken.get(group) ?? 0
    taken.set(group, from + count)
    return Array.from({ length: count }, (_, n) => filled.get(group)?.[from + n] ?? newId(timeOf(n)))
  }

  function callsOf(database: Database): typeof calls {
    filled.clear()
    const tasks = createTaskStore(database)
    const dispatch = createDispatchStore(database)
    const workers = createWorkerStore(database)
    const logs = createLogStore(database)
    const callbacks = createCallbackStore(database)
    const queues = createQueueStore(database)
    const limits = createLimitStore(database)
    const uniques = createUniqueStore(database)
    const due = createDueScheduleStore(database)
    const schedules = createScheduleStore(database)
    const reader = createTaskReader(database.reads)
    const own = { attempt: 1, workerId }
    const worker = {
      id: workerId,
      host: 'h',
      pid: 1,
      version: 't',
      queues: ['a'],
      concurrency: 1,
      isolatedProcesses: 0,
    }
    const done = { status: 'SUCCESS' as const, resultText: '1', failures: 0 }
    const failed = { status: 'FAILURE' as const, failures: 1, error }
    const refused = { at: new Date().toISOString(), status: 'SUCCESS' as const, result: '1', log: [] }
    const line = { at: new Date(), message: 'a', fields: null }
    const batch = (run: () => Promise<unknown>, perTask = 1) => ({
      run,
      rows: perTask * BATCH,
      lookups: perTask * BATCH,
    })
    const single = (run: () => Promise<unknown>) => ({ run, rows: 2, lookups: 2 })
    return {
      insert: batch(() =>
        tasks.insertMany(createNewTasks(BATCH).map((task, n) => ({ ...task, id: newId(timeOf(n)) }))),
      ),
      claim: batch(() =>
        tasks.claimMany(ids('waiting').map((id) => ({ id, attempt: 0, workerId, isRepeated: false }))),
      ),
      'insert log lines': batch(() =>
        logs.insertMany(ids('running').map((id) => ({ id, ...own, lines: [line] }))),
      ),
      heartbeat: batch(() => {
        const running = ids('running').map((id) => ({ id, attempt: 1, progress: { fraction: 0.5 } }))
        return workers.beat({ timeoutMs: 5_000, worker, processed: 0, failed: 0, leaked: 0, running })
      }, 2),
      finish: batch(() => tasks.finishMany(ids('running').map((id) => ({ id, ...own, decision: done })))),
      'finish with errors': batch(() =>
        tasks.finishMany(ids('running').map((id) => ({ id, ...own, decision: failed }))),
      ),
      'keep refused ends': batch(
        () =>
          tasks.recordRefusedMany(
            ids('running').map((id) => ({
              id,
              ...own,
              attempt: 3,
              startedAt: new Date(),
              decision: done,
              refused,
            })),
          ),
        8,
      ),
      cancel: batch(() => tasks.cancelMany(ids('waiting')), 2),
      retry: batch(() => tasks.retryMany(ids('failed')), 2),
      isolate: single(() => dispatch.isolate({ id: ids('running', 1)[0] as string, attempt: 1 }, workerId)),
      'clear enqueued': batch(() => dispatch.clearEnqueued(ids('waiting').map((id) => ({ id, attempt: 0 })))),
      // Concurrent reads share one query: the first of them is a query of its own.
      // Looks up the last task of each schedule, once for overlaps and once for ticks that wait.
      'find due schedules': batch(() => due.findDue(['reverse'], { limit: BATCH }), 3),
      'make scheduled tasks': batch(async () => {
        const { due: found } = await due.findDue(['reverse'], { limit: BATCH })
        await due.makeTasks(
          found.map(({ name, version }, n) => {
            const [task] = createNewTasks(1) as [ReturnType<typeof createNewTasks>[number]]
            const tasks = [{ ...task, id: newId(timeOf(n)), tickMs: todayMs + n, runAt: new Date() }]
            return { name, version, nextMs: todayMs, waitingMs: null, skipped: 0, tasks }
          }),
        )
      }, 3),
      'list runs of a schedule': batch(() => schedules.runsOf('nightly', BATCH)),
      find: batch(() => Promise.all(ids('done').map((id) => reader.find(id)))),
      'find changed': batch(() => reader.findChanged(ids('done').map((id) => ({ id, version: 77 }))), 2),
      'find sizes': batch(() => reader.findBytes(ids('done'))),
      'find status': single(() => tasks.statusOf(ids('done', 1)[0] as string)),
      'list attempts': single(() => reader.attemptsOf(ids('failed', 1)[0] as string)),
      'list log lines': single(() => logs.list(ids('failed', 1)[0] as string, { after: 0, limit: 10 })),
      // Each partition is asked for its first row. Due rows are read once to find them and once to write them.
      'find due': {
        run: () => dispatch.markDueEnqueued('a', BATCH),
        rows: 2 * BATCH + 2 * partitions,
        lookups: BATCH,
      },
      'find lost': {
        run: () => dispatch.clearLost('a', null, 0, BATCH),
        rows: 2 * BATCH + ROWS / 6,
        lookups: BATCH,
      },
      'find the next due': {
        run: () => dispatch.msUntilDue(['a', 'b']),
        rows: partitions,
        lookups: partitions,
      },
      'find isolated': {
        run: () => dispatch.withIsolatedTasks(['a', 'b']),
        rows: 2,
        lookups: 4 * partitions,
      },
      'insert held': batch(() =>
        tasks.insertMany(
          createNewTasks(BATCH).map((task, n) => ({ ...task, id: newId(timeOf(n)), hold: HOLD })),
        ),
      ),
      // Each task is read to find out how it is held, and written.
      hold: batch(
        () =>
          limits.hold(
            ids('waiting').map((id) => ({ id, name: 'reverse', queue: 'a', attempt: 0, hold: HOLD })),
          ),
        2,
      ),
      'start held': {
        async run() {
          const held = ids('waiting')
          await limits.hold(held.map((id) => ({ id, name: 'reverse', queue: 'b', attempt: 0, hold: HOLD })))
          const part = { queue: 'b', isIsolated: false, names: ['reverse'] }
          const { tasks: started } = await limits.claim(part, {
            reserve: () => BATCH,
            workerId,
            startNumber: 0,
          })
          // The first call prepares the statements while the tables are empty.
          if (filled.size > 0) expect(started.length).toBe(BATCH)
        },
        rows: 4 * BATCH,
        lookups: 4 * BATCH,
      },
      'finish held': batch(
        () =>
          tasks.finishMany(
            ids('running').map((id) => ({ id, ...own, decision: failed, isHeld: true as const })),
          ),
        2,
      ),
      inputs: batch(() => limits.inputsOf(ids('done'))),
      expire: single(() => limits.expire()),
      'insert unique': batch(() => uniques.insertMany(uniqueTasks(() => newId(), 'existing'))),
      // Each task of a key is read once, and written once if its input is replaced; then it is read again.
      'meet unique': batch(async () => {
        await ownKeys(database, ids('waiting'))
        await uniques.insertMany(uniqueTasks((n) => `key ${n}`, 'existing'))
      }),
      'replace unique': batch(async () => {
        await ownKeys(database, ids('waiting'))
        await uniques.insertMany(uniqueTasks((n) => `key ${n}`, 'replace'))
      }, 4),
      'retry unique': batch(async () => {
        const failed = ids('failed')
        await ownKeys(database, failed)
        const claims = failed.map((id, n) => ({
          id,
          name: 'reverse',
          unique: { key: `key ${n}`, until: 'finished' as const },
        }))
        const { retried } = await uniques.retryMany(claims)
        if (filled.size > 0) expect(retried.length).toBe(BATCH)
      }, 3),
      'states of unique': batch(() => uniques.statesOf(ids('done'))),
      'states of queues': single(() => dispatch.statesOf(['a', 'b'])),
      // Reads the waiting and the running tasks of the queue, a sixth of all each, and writes the waiting ones.
      resume: {
        run: async () => {
          await queues.pause('a')
          await queues.resume('a')
        },
        rows: ROWS / 2 + 10 * BATCH,
        lookups: ROWS / 6 + 10 * BATCH,
      },
      'find ended': {
        run: () => callbacks.findEnded(BATCH),
        rows: BATCH + partitions,
        lookups: partitions,
      },
      'create callbacks': batch(
        () =>
          callbacks.createMany(
            createNewTasks(BATCH).map((task, n) => ({
              ...task,
              id: newId(timeOf(n)),
              parentId: ids('ended', 1)[0] as string,
              parentVersion: 0,
            })),
          ),
        2,
      ),
    }
  }

  /** Inserts many rows in groups that differ in their states, without the statements that are tested. */
  async function fill() {
    const groups = Object.keys(STATES) as Group[]
    const schedules = createScheduleStore(database)
    for (let n = 0; n < 2 * BATCH; n++) {
      const input = { text: 'a' }
      await schedules.put(completeSchedule('reverse', { name: `s${n}`, everySeconds: 1, input }), todayMs)
    }
    for (const group of groups)
      filled.set(
        group,
        Array.from({ length: ROWS / groups.length }, (_, n) => newId(timeOf(n))),
      )
    taken.clear()
    for (const group of groups) {
      const list = `{${filled.get(group)?.join()}}`
      await database.query(sql`
        insert into tasks (id, name, queue, input, max_retries, timeout_ms, created_at, run_at, ${COLUMNS})
        select id, 'reverse', 'a', '{}', 3, 1000, now(), now() - interval '1 s', ${STATES[group]}
        from unnest(${list}::uuid[]) as given(id)`)
      await database.query(sql`
        insert into attempts (task_id, attempt, error) select id, 1, '{}' from unnest(${list}::uuid[]) as given(id)`)
      await database.query(sql`
        insert into task_logs (task_id, attempt, at, message)
        select id, 1, now(), 'a' from unnest(${list}::uuid[]) as given(id)`)
    }
    const running = `{${filled.get('running')?.slice(0, BATCH).join()}}`
    await database.query(sql`
      insert into schedule_runs (schedule, tick_at, task_id)
      select 'nightly', now() - number * interval '1 s', id from unnest(${running}::uuid[]) with ordinality as given(id, number)`)
    await database.query(sql`
      update schedules set last_task_ids = array[(${running}::uuid[])[1 + length(name)]], waiting_at = now() where name < 's2'`)
  }
})

const filled = new Map<Group, string[]>()
const taken = new Map<Group, number>()

const COLUMNS = sql.raw(
  'status, attempt, worker_id, enqueued_at, started_at, finished_at, error, callback_url',
)
const STATES = {
  due: sql.raw(
    "'PENDING', 0, null::uuid, null::timestamptz, null::timestamptz, null::timestamptz, null::json, null",
  ),
  waiting: sql.raw("'PENDING', 0, null, now() - random() * interval '1 s', null, null, null, null"),
  running: sql`'STARTED', 1, ${workerId}::uuid, now() - random() * interval '1 s', now(), null, null, null`,
  done: sql.raw("'SUCCESS', 1, null, null, now(), now(), null, null"),
  failed: sql.raw("'FAILURE', 1, null, null, now(), now(), '{}'::json, null"),
  ended: sql.raw("'SUCCESS', 1, null, null, now(), now(), null, 'http://localhost/'"),
} satisfies Record<string, ReturnType<typeof sql.raw>>
type Group = keyof typeof STATES

function uniqueTasks(keyOf: (n: number) => string, onConflict: 'existing' | 'replace') {
  return createNewTasks(BATCH).map((task, n) => ({
    ...task,
    id: newId(timeOf(n)),
    input: { text: 'other' },
    unique: { key: keyOf(n), until: 'finished' as const, onConflict, isLimited: false },
  }))
}

/** Makes these tasks those of their keys. */
async function ownKeys(database: Database, ids: string[]) {
  const list = `{${ids.join()}}`
  await database.query(sql`
    insert into unique_tasks (name, key, task_id, first_at, kept_until)
    select 'reverse', 'key ' || (n - 1), id, now(), now() from unnest(${list}::uuid[]) with ordinality as given(id, n)
    on conflict (name, key) do update set task_id = excluded.task_id`)
}

const HOLD = { concurrencyKey: '', rateKey: '', priority: 'normal' as const }

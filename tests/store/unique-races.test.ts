// Unique tasks under concurrency: submissions, cancellations and retries through several API processes,
// workers that start and end the tasks meanwhile, and an API process that is killed. Indexes of the database
// refuse two tasks of one key that are met at the same time, so each of them is an error of the statement
// that would make the second.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { createApiDependencies } from '../../src/api/dependencies.ts'
import { pause } from '../../src/base/loop.ts'
import { type Connections, openConnections } from '../../src/connections.ts'
import type { TaskService } from '../../src/service/task-service.ts'
import { sql } from '../../src/store/drizzle.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'
import { createUniqueDefinitions, type UniqueRuns } from '../support/unique-definitions.ts'

let system: TestSystem
let runs: UniqueRuns
let others: Connections[]
beforeEach(async () => {
  const unique = createUniqueDefinitions()
  runs = unique.runs
  system = await startSystem({ definitions: unique.definitions, worker: false })
  others = []
  await refuseDoubles()
})
afterEach(async () => {
  await Promise.all(others.map((connections) => connections.close()))
  await system.stop()
})

// PGlite has one connection, so its transactions never run at the same time.
const serverTest = test.skipIf(inject('postgresUrl') === null)

const query: TestSystem['connections']['database']['query'] = (statement) =>
  system.connections.database.query(statement)

/** All tasks of a test are in the partition of today, or of tomorrow after midnight. */
async function refuseDoubles() {
  const partitions = await query<{ name: string }>(
    sql`select inhrelid::regclass::text as name from pg_inherits where inhparent = 'tasks'::regclass`,
  )
  for (const { name } of partitions) {
    const table = sql.raw(name)
    await query(sql`
      create unique index on ${table} (name, (input->>'key')) where finished_at is null and name like '%until_finished'`)
    await query(sql`
      create unique index on ${table} ((input->>'key'))
      where finished_at is null and status = 'PENDING' and attempt = 0 and name = 'until_started'`)
  }
}

/** Returns the service of another API process. */
async function openService(): Promise<TaskService> {
  const connections = await openConnections(
    { databaseUrl: system.database.url, redisUrl: system.redis.url },
    system.events,
  )
  others.push(connections)
  return createApiDependencies(connections, system.registry, system.events, {
    bodyLimitBytes: 1_024,
    workerMissingAfterMs: 1_000,
    addressOf: () => undefined,
  }).service
}

function pick<T>(values: readonly T[]): T {
  return values[Math.floor(Math.random() * values.length)] as T
}

serverTest.each(['until_started', 'until_finished', 'replaced_until_finished'])(
  'there are never two tasks of one key that are met: %s',
  async (name) => {
    const services = [system.service, await openService(), await openService()]
    system.startWorker()
    system.startWorker()
    const ids = new Set<string>()
    const errors: unknown[] = []
    const submitMany = async (service: TaskService) => {
      for (let n = 0; n < 60; n++) {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 5 }, async () => {
            const { id } = await service.submit(name, { key: pick(['a', 'b', 'c']), n })
            ids.add(id)
            const known = pick([...ids])
            if (n % 3 === 0) await service.cancelMany([known])
            if (n % 3 === 1) await service.retryMany([known, pick([...ids])])
          }),
        )
        for (const outcome of outcomes) if (outcome.status === 'rejected') errors.push(outcome.reason)
      }
    }
    await Promise.all(services.map(submitMany))
    expect(errors).toEqual([])
    expect(system.emitted('error.unexpected')).toEqual([])
    await until(
      () => query<{ count: number }>(sql`select count(*)::int as count from tasks where finished_at is null`),
      ([row]) => row?.count === 0,
    )
    expect(ids.size).toBeGreaterThan(3)
  },
)

serverTest('an input that replaces another one runs, or has been replaced itself', async () => {
  const services = [system.service, await openService()]
  system.startWorker()
  system.startWorker()
  const submitted: number[] = []
  await Promise.all(
    services.map(async (service, index) => {
      for (let n = index; n < 600; n += 2) {
        await service.submit('replaced', { key: pick(['a', 'b']), n })
        submitted.push(n)
        if (n % 7 === 0) await pause(1)
      }
    }),
  )
  await until(
    () => system.countByStatus(),
    ({ PENDING = 0, STARTED = 0 }) => PENDING + STARTED === 0,
  )
  const rows = await query<{ input: number; result: number }>(
    sql`select (input->>'n')::int as input, (result->>'n')::int as result from tasks`,
  )
  for (const { input, result } of rows) expect(result).toBe(input)
  const replaced = await query<{ n: number }>(
    sql`select (fields->'replaced_input'->>'n')::int as n from task_logs`,
  )
  const seen = [...runs.started.map(({ n }) => n), ...replaced.map(({ n }) => n)]
  expect(seen.toSorted((a, b) => a - b)).toEqual(submitted.toSorted((a, b) => a - b))
})

serverTest('held tasks that are replaced while others start and end do not deadlock', async () => {
  const services = [system.service, await openService()]
  system.startWorker()
  system.startWorker()
  await Promise.all(
    services.map(async (service) => {
      for (let n = 0; n < 200; n++)
        await service.submit('replaced_and_limited', { key: pick(['a', 'b', 'c']), n })
    }),
  )
  // On a busy machine a worker can count as missing. Its tasks are retried.
  await until(
    () => system.countByStatus(),
    ({ PENDING = 0, STARTED = 0, RETRY = 0 }) => PENDING + STARTED + RETRY === 0,
  )
  const [held] = await query<{ count: number }>(sql`select count(*)::int as count from held_tasks`)
  expect(held?.count).toBe(0)
  const where = system.emitted('error.transient').map(({ error }) => String(error))
  expect(where.filter((text) => text.includes('deadlock'))).toEqual([])
})

serverTest('an API process that is killed leaves no key locked, and no two tasks', async () => {
  const script = fileURLToPath(new URL('../support/submit-unique.ts', import.meta.url))
  const { url, service } = { url: system.database.url, service: system.service }
  for (let round = 0; round < 6; round++) {
    const child = fork(script, [url, system.redis.url], { stdio: 'inherit' })
    await once(child, 'message')
    await pause(Math.random() * 150)
    child.kill('SIGKILL')
    await once(child, 'exit')
    for (const key of ['a', 'b', 'c']) {
      const { id } = await service.submit('replaced_until_finished', { key, n: round })
      expect((await system.task(id)).input).toMatchObject({ key, n: round })
    }
    await service.cancelMany((await query<{ id: string }>(sql`select id from tasks`)).map(({ id }) => id))
  }
  const [row] = await query<{ tasks: number; keys: number }>(sql`
    select (select count(*)::int from tasks) as tasks, (select count(*)::int from unique_tasks) as keys`)
  expect(row?.tasks).toBeGreaterThan(6)
  expect(row?.keys).toBe(3)
})

// Random limits, submissions and faults: limits are never exceeded, and every task ends. A failure prints the plan and
// the seed that generates it again; the order of events still depends on the machine.
import fc from 'fast-check'
import type pg from 'pg'
import { expect, inject, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { createLimitedDefinitions, limitedName } from '../support/limited-definitions.ts'
import { mostWithin } from '../support/sliding-window.ts'
import { startSystem, type TestSystem } from '../support/system.ts'
import { createRunRecorder } from '../support/test-definitions.ts'
import { type LimitPlan, limitPlan } from './support/limit-plan.ts'
import { runPlan, withClient } from './support/limit-run.ts'
import {
  mostAtOnce,
  mostStarted,
  readStatusChanges,
  recordStatusChanges,
  type StatusChange,
} from './support/status-history.ts'

test('limits hold and every task ends, through kills of workers, faults of Redis and Postgres, pauses, cancels and retries', async (context) => {
  if (inject('postgresUrl') === null) return context.skip('PGlite can be opened by one process only')
  // A failure is not simplified: each plan runs for many seconds.
  await fc.assert(fc.asyncProperty(limitPlan, checkPlan), { numRuns: 1, endOnFailure: true })
})

async function checkPlan(plan: LimitPlan): Promise<void> {
  const definitions = createLimitedDefinitions(plan.definitions)
  const system = await startSystem({ worker: false, definitions })
  try {
    await system.connections.queueStore.setLimits('default', plan.queueLimits ?? null)
    await withClient(system.database.url, async (client) => {
      await recordStatusChanges(client)
      const sampling = startSampling(client, plan)
      await runPlan(system, plan).finally(sampling.stop)
      expect(await sampling.stop()).toEqual([])
      expect(violationsOf(plan, await readStatusChanges(client), await readRuns(client, system))).toEqual([])
      const { rows } = await client.query('select task_id from held_tasks')
      expect(rows).toEqual([])
    })
  } finally {
    await system.stop()
  }
}

/** Reads again and again how many tasks are STARTED, and collects the numbers that exceed a limit. */
function startSampling(client: pg.Client, plan: LimitPlan) {
  const exceeded: string[] = []
  let isStopping = false
  const done = sample()
  return {
    stop() {
      isStopping = true
      return done
    },
  }

  async function sample(): Promise<string[]> {
    while (!isStopping) {
      const { rows } = await client.query<{ name: string; key: string; count: number }>(`
        select name, input->>'key' as key, count(*)::int as count from tasks
        where finished_at is null and status = 'STARTED' group by 1, 2`)
      for (const { subject, limit, includes } of concurrencyLimitsOf(plan)) {
        const count = rows.filter(includes).reduce((sum, row) => sum + row.count, 0)
        if (count > limit) exceeded.push(`${subject}: ${count} STARTED, at most ${limit}`)
      }
      await pause(5)
    }
    return exceeded
  }
}

interface Subject {
  name: string
  key: string
}

/** A limit and the tasks to which it applies. */
interface AppliedLimit {
  subject: string
  limit: number
  includes(task: Subject): boolean
}

const KEYS = ['a', 'b', 'c']

function limitsFor(subject: string, isKeyed: boolean, limit: number, name?: string): AppliedLimit[] {
  if (!isKeyed) return [{ subject, limit, includes: (task) => name === undefined || task.name === name }]
  return KEYS.map((key) => ({
    subject: `${subject}, key ${key}`,
    limit,
    includes: (task) => task.name === name && task.key === key,
  }))
}

function concurrencyLimitsOf({ definitions, queueLimits }: LimitPlan): AppliedLimit[] {
  const ofQueue = queueLimits?.concurrency ? limitsFor('queue', false, queueLimits.concurrency) : []
  const ofDefinitions = definitions.flatMap(({ concurrency }, index) => {
    const name = limitedName(index)
    return concurrency ? limitsFor(name, concurrency.isKeyed, concurrency.limit, name) : []
  })
  return [...ofQueue, ...ofDefinitions]
}

function rateLimitsOf({ definitions, queueLimits }: LimitPlan): (AppliedLimit & { perMs: number })[] {
  const rate = queueLimits?.rate
  const ofQueue = rate
    ? limitsFor('queue', false, rate.limit).map((one) => ({ ...one, perMs: rate.perMs }))
    : []
  const ofDefinitions = definitions.flatMap(({ rateLimit }, index) => {
    if (!rateLimit) return []
    const name = limitedName(index)
    const perMs = Math.round(rateLimit.perSeconds * 1_000)
    return limitsFor(name, rateLimit.isKeyed, rateLimit.limit, name).map((one) => ({ ...one, perMs }))
  })
  return [...ofQueue, ...ofDefinitions]
}

function violationsOf(plan: LimitPlan, changes: StatusChange[], runs: Run[]): string[] {
  const tooMany = concurrencyLimitsOf(plan).flatMap(({ subject, limit, includes }) => {
    const started = mostStarted(changes.filter(includes))
    const ran = mostAtOnce(runs.filter(includes))
    return started > limit || ran > limit
      ? [`${subject}: ${started} STARTED and ${ran} running at one time, at most ${limit}`]
      : []
  })
  const tooOften = rateLimitsOf(plan).flatMap(({ subject, limit, perMs, includes }) => {
    const starts = changes.filter((change) => change.isStart && includes(change))
    const times = starts.map(({ startedAtMs }) => startedAtMs)
    const most = mostWithin(times, perMs)
    return most > limit ? [`${subject}: ${most} starts within ${perMs} ms, at most ${limit}`] : []
  })
  return [...tooMany, ...tooOften]
}

interface Run extends Subject {
  fromMs: number
  toMs: number
}

/**
 * Reads when code of attempts ran, as it has recorded itself. Without lost attempts: their code may run until the
 * worker learns that it has lost them.
 */
async function readRuns(client: pg.Client, { database }: TestSystem): Promise<Run[]> {
  // Creates the table if no attempt has recorded anything.
  await (await createRunRecorder(database.url)).close()
  const { rows } = await client.query<Run>(`
    select name, input->>'key' as key, extract(epoch from begins.at)::float8 * 1000 as "fromMs",
      extract(epoch from ends.at)::float8 * 1000 as "toMs"
    from runs as begins
    join runs as ends using (task_id, attempt, pid)
    join tasks on tasks.id = task_id
    left join attempts on attempts.task_id = tasks.id and attempts.attempt = begins.attempt
    where begins.note = 'begins' and ends.note = 'ends' and coalesce(attempts.error->>'name', '') <> 'WorkerLost'`)
  return rows
}

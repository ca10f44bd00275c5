// Measures the speed of a flood while retention drops partitions, replaces partitions, or deletes rows.
import type pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { timeOfId } from '../../src/base/uuidv7.ts'
import type { Partition } from '../../src/store/partitions/tables.ts'
import { median } from '../statistics.ts'
import type { Store } from '../stores.ts'
import { tableOf } from '../table.ts'
import { percentages, type WorkLeft, withRange, workedShare } from './figures.ts'
import { type Flood, flood, startWaggle, withClient } from './flood.ts'
import type { Amounts, Context, Section } from './plan.ts'
import { createLedger, type FinishedSeed, pastPartitions, seedFinished, seedOf } from './seed.ts'

interface Variant {
  name: string
  title: string
  settings: Record<string, string>
  /** Number of daily partitions before the current day. */
  days: number
  seeds(amounts: Amounts['retention'], past: Partition[]): FinishedSeed[]
  /** Returns how much work of retention is left: a number of partitions, or of rows. */
  countLeft(client: pg.Client, seeds: FinishedSeed[]): Promise<number>
}

const HOUR_MS = 3_600_000
// 30 days of tasks are kept. Ten of the partitions ended at least a day before that.
const DAYS_WITH_EXPIRED = 41
// The last three of these partitions can contain successful tasks that are kept.
const DAYS_WITH_OLD_SUCCESSES = 14

const VARIANTS: Variant[] = [
  {
    name: 'a',
    title: 'without old tasks',
    settings: { RETENTION_DAYS: '30' },
    days: DAYS_WITH_EXPIRED,
    seeds: () => [],
    countLeft: async () => 0,
  },
  {
    name: 'b',
    title: 'expired partitions are dropped',
    settings: { RETENTION_DAYS: '30' },
    days: DAYS_WITH_EXPIRED,
    seeds: ({ partitions, tasksPerPartition }, past) =>
      past.slice(0, partitions).map((partition) => seedOf(partition, tasksPerPartition)),
    countLeft: (client, seeds) => countTables(client, seeds, 'true'),
  },
  {
    name: 'c',
    title: 'partitions are replaced; a tenth of their tasks has failed and is kept',
    settings: { RETENTION_DAYS: '30', RETENTION_SUCCESS_HOURS: '72' },
    days: DAYS_WITH_OLD_SUCCESSES,
    seeds: ({ partitions, tasksPerPartition }, past) =>
      past.slice(0, partitions).map((partition) => seedOf(partition, tasksPerPartition, 10)),
    countLeft: (client, seeds) =>
      countTables(client, seeds, "obj_description(oid, 'pg_class') not like '%without%'"),
  },
  {
    name: 'd',
    title: 'successful tasks of the current day are deleted row by row',
    settings: { RETENTION_DAYS: '30', RETENTION_SUCCESS_HOURS: '1' },
    days: 1,
    seeds: ({ rowByRowTasks }) => [
      {
        table: 'tasks',
        fromMs: Date.now() - 3 * HOUR_MS,
        toMs: Date.now() - 2 * HOUR_MS,
        tasks: rowByRowTasks,
      },
    ],
    countLeft: countRowsAhead,
  },
]

/** Counts the existing tables of the seeds that fulfil a condition. */
async function countTables(client: pg.Client, seeds: FinishedSeed[], condition: string): Promise<number> {
  const { rows } = await client.query(
    `select count(*)::int as left from pg_class where relname = any($1) and ${condition}`,
    [seeds.map(({ table }) => table)],
  )
  return rows[0].left
}

/** Estimates how many tasks retention has not scanned yet, from its position in `retention_progress`. */
async function countRowsAhead(client: pg.Client, seeds: FinishedSeed[]): Promise<number> {
  const [seed] = seeds
  if (!seed) return 0
  const { rows } = await client.query<{ id: string | null }>(
    'select max(last_id::text) as id from retention_progress',
  )
  const positionMs = Math.max(seed.fromMs, timeOfId(rows[0]?.id ?? '0'))
  const ahead = (seed.tasks * (seed.toMs - positionMs)) / (seed.toMs - seed.fromMs)
  // The task at the position has been scanned.
  return Math.max(0, Math.round(ahead) - 1)
}

interface Round {
  flood: Flood
  /** Part of the time of the flood during which retention worked, in percent. */
  share: number
  /** Part of the work of retention that was done at the end of the flood, in percent. */
  done: number
}

export async function measureRetention(context: Context): Promise<Section> {
  const { rounds, partitions, tasksPerPartition, rowByRowTasks } = context.amounts.retention
  const results = new Map<Variant, Round[]>(VARIANTS.map((variant) => [variant, []]))
  for (let round = 1; round <= rounds; round++) {
    for (const variant of round % 2 === 1 ? VARIANTS : VARIANTS.toReversed()) {
      context.signal.throwIfAborted()
      context.log(`Round ${round} of ${rounds}: ${variant.title}`)
      const store = await context.stores.open(`retention_${variant.name}`)
      results.get(variant)?.push(await measureRound(context, variant, store).finally(() => store.close()))
    }
  }
  const rates = (variant: Variant) => results.get(variant)?.map(({ flood }) => flood.tasksPerSecond) ?? []
  const [base, dropping] = VARIANTS as [Variant, Variant, ...Variant[]]
  const ratio = median(percentages(rates(dropping), rates(base)))
  const rows = VARIANTS.map((variant) => {
    const all = results.get(variant) ?? []
    return [
      variant.title,
      withRange(rates(variant)),
      withRange(percentages(rates(variant), rates(base)), 1),
      variant === base ? '-' : withRange(all.map(({ share }) => share)),
      variant === base ? '-' : withRange(all.map(({ done }) => done)),
    ]
  })
  return {
    title: 'Retention during a flood',
    lines: [
      `${rounds} rounds of all variants by turns, median and range; ${context.amounts.floodTasks} tasks over 64 connections; ` +
        `${partitions} partitions of ${tasksPerPartition} finished tasks, ${rowByRowTasks} tasks row by row`,
      '',
      ...tableOf([
        ['', 'end-to-end tasks/s', '% of the first', '% of the flood with retention', '% done at its end'],
        ...rows,
      ]),
    ],
    bounds: [
      {
        text: `while partitions are dropped, ${ratio.toFixed(1)} % of the tasks/s without (at least 95 %)`,
        isMet: ratio >= 95,
      },
    ],
  }
}

async function measureRound(context: Context, variant: Variant, store: Store): Promise<Round> {
  const { amounts, signal, log } = context
  const database = await createLedger(store, variant.days)
  const seeds = variant.seeds(amounts.retention, await pastPartitions(database))
  await database.close()
  if (seeds.length > 0) await seedFinished(store, seeds, log)
  return withClient(store, async (client) => {
    const release = await holdRetention(client)
    return withClient(store, async (watcher) => {
      const running = await startWaggle(store, variant.settings, signal)
      try {
        await flood(running.port, watcher, { tasks: amounts.warmUpTasks }, signal)
        const samples: WorkLeft[] = []
        const done = new AbortController()
        let watching: Promise<void> | undefined
        const measured = await flood(
          running.port,
          watcher,
          { tasks: amounts.floodTasks },
          signal,
          async () => {
            const left = await variant.countLeft(client, seeds)
            samples.push({ at: Date.now(), left })
            await release()
            watching = watch(() => variant.countLeft(client, seeds), samples, done.signal)
          },
        )
        await untilNoneLeft(samples, signal)
        done.abort()
        await watching
        return roundOf(measured, samples)
      } finally {
        await running.stop()
      }
    })
  })
}

const COMPLETED_MS = 60_000

/** @throws Error if retention does not complete its work within a minute after the flood */
async function untilNoneLeft(samples: WorkLeft[], signal: AbortSignal) {
  const deadline = Date.now() + COMPLETED_MS
  while ((samples.at(-1)?.left ?? 0) > 0) {
    if (Date.now() > deadline)
      throw new Error(`Retention was not complete ${COMPLETED_MS / 1_000} s after the flood`)
    await pause(WATCH_MS, signal)
    signal.throwIfAborted()
  }
}

function roundOf(measured: Flood, samples: WorkLeft[]): Round {
  const { report, doneAt } = measured
  const first = samples[0]?.left ?? 0
  const last = samples.findLast(({ at }) => at <= doneAt)?.left ?? first
  return {
    flood: measured,
    share: workedShare(samples, report.startedAt, doneAt),
    done: first === 0 ? 100 : (100 * (first - last)) / first,
  }
}

/**
 * Delays retention by a lock on the table of idempotency keys: a worker deletes old keys before it removes
 * tasks, and waits for the lock. After 29 s Postgres cancels the waiting statement, and the worker continues.
 * @returns a function that releases the lock
 */
async function holdRetention(client: pg.Client): Promise<() => Promise<unknown>> {
  await client.query('begin')
  await client.query('lock table idempotency_keys in share mode')
  return () => client.query('rollback')
}

const WATCH_MS = 50

async function watch(countLeft: () => Promise<number>, samples: WorkLeft[], signal: AbortSignal) {
  while (!signal.aborted) {
    samples.push({ at: Date.now(), left: await countLeft() })
    await pause(WATCH_MS, signal)
  }
}

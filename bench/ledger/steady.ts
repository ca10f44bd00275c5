// Runs a flood of some minutes, and measures whether speed, table size and index size stay constant.
import type pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { tableOf } from '../table.ts'
import { largestDeviation } from './figures.ts'
import { flood, startWaggle, withClient } from './flood.ts'
import type { Context, Section } from './plan.ts'
import { createLedger } from './seed.ts'

/** Values at one time. `ended`, `updates` and `hotUpdates` are sums since the start. */
interface Sample {
  /** Time in ms since 1970. */
  at: number
  /** Tasks that have been run; the heartbeats of the workers report them every second. */
  ended: number
  waiting: number
  updates: number
  hotUpdates: number
  deadRows: number
  tableBytes: number
  indexBytes: number
}

// The last spans are compared: their number, and the largest allowed deviation from their median in percent.
const LAST = 5
const TOLERANCE = 10

export async function measureSteady(context: Context): Promise<Section> {
  const { spans, spanMs } = context.amounts.steady
  const store = await context.stores.open('steady')
  try {
    await (await createLedger(store, 1)).close()
    return await withClient(store, async (client) => {
      const running = await startWaggle(store, {}, context.signal)
      try {
        await flood(running.port, client, { tasks: context.amounts.warmUpTasks }, context.signal)
        const samples: Sample[] = []
        const order = { tasks: Number.MAX_SAFE_INTEGER, limitMs: (spans + 1) * spanMs }
        await flood(running.port, client, order, context.signal, async () => {
          samples.push(...(await takeSamples(client, context)))
        })
        return sectionOf(context, samples)
      } finally {
        await running.stop()
      }
    })
  } finally {
    await store.close()
  }
}

async function takeSamples(client: pg.Client, { amounts, signal, log }: Context): Promise<Sample[]> {
  const { spans, spanMs } = amounts.steady
  const samples = [await readSample(client)]
  const startedAt = Date.now()
  for (let span = 1; span <= spans; span++) {
    await pause(startedAt + span * spanMs - Date.now(), signal)
    signal.throwIfAborted()
    samples.push(await readSample(client))
    log(`Span ${span} of ${spans}`)
  }
  return samples
}

function sectionOf({ amounts }: Context, samples: Sample[]): Section {
  const { spans, spanMs } = amounts.steady
  const steps = samples.slice(1).map((sample, index) => spanOf(samples[index] ?? sample, sample))
  const rows = steps.map((step, index) => [
    `${index + 1}`,
    Math.round(step.tasksPerSecond).toLocaleString('en'),
    step.waiting.toLocaleString('en'),
    step.deadRows.toLocaleString('en'),
    step.tableMb.toFixed(0),
    step.indexMb.toFixed(0),
    step.hotShare.toFixed(1),
  ])
  const bounds = (['tasksPerSecond', 'tableMb', 'indexMb'] as const).map((name) => {
    const deviation = largestDeviation(steps.slice(-LAST).map((step) => step[name]))
    return {
      text: `${NAMES[name]}: the last ${LAST} spans differ from their median by ${deviation.toFixed(1)} % (at most ${TOLERANCE})`,
      isMet: deviation <= TOLERANCE,
    }
  })
  return {
    title: `A flood of ${(spans * spanMs) / 60_000} minutes`,
    lines: [
      `64 connections; spans of ${spanMs / 1_000} s; sizes are those of all tasks so far`,
      '',
      ...tableOf([
        ['span', 'tasks/s', 'not ended', 'dead rows', 'table MB/M tasks', 'index MB/M tasks', 'HOT %'],
        ...rows,
      ]),
    ],
    bounds,
  }
}

const NAMES = { tasksPerSecond: 'tasks/s', tableMb: 'table size per task', indexMb: 'index size per task' }

/** Figures of one span. Sizes are in MB per million tasks. */
function spanOf(before: Sample, after: Sample) {
  const mb = (bytes: number) => bytes / 1_048_576 / ((after.ended + after.waiting) / 1_000_000)
  return {
    tasksPerSecond: (1_000 * (after.ended - before.ended)) / (after.at - before.at),
    waiting: after.waiting,
    deadRows: after.deadRows,
    tableMb: mb(after.tableBytes),
    indexMb: mb(after.indexBytes),
    hotShare: (100 * (after.hotUpdates - before.hotUpdates)) / (after.updates - before.updates),
  }
}

async function readSample(client: pg.Client): Promise<Sample> {
  const { rows } = await client.query<Omit<Sample, 'at'>>(`
    select (select coalesce(sum(processed), 0)::float8 from workers) as ended,
           (select count(*)::float8 from tasks where finished_at is null) as waiting, sum(n_tup_upd)::float8 as updates,
           sum(n_tup_hot_upd)::float8 as "hotUpdates", sum(n_dead_tup)::float8 as "deadRows",
           sum(pg_relation_size(relid))::float8 as "tableBytes", sum(pg_indexes_size(relid))::float8 as "indexBytes"
    from pg_stat_user_tables, pg_inherits where inhrelid = relid and inhparent = 'tasks'::regclass`)
  return { at: Date.now(), ...(rows[0] as Omit<Sample, 'at'>) } // an aggregate always returns a row
}

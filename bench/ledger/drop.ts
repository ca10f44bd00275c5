// Measures how long it takes to drop a large partition, and how long submissions take meanwhile.
import { pause } from '../../src/base/loop.ts'
import { openDatabase } from '../../src/store/database.ts'
import { LATE_MS } from '../../src/store/partitions/bounds.ts'
import { expirePartitions } from '../../src/store/partitions/expire.ts'
import { listPartitions } from '../../src/store/partitions/tables.ts'
import { median } from '../statistics.ts'
import type { Store } from '../stores.ts'
import { tableOf } from '../table.ts'
import { latenciesWithin, p99, withRange } from './figures.ts'
import { flood, startWaggle, withClient } from './flood.ts'
import type { Context, Section } from './plan.ts'
import { createLedger, pastPartitions, seedFinished, seedOf } from './seed.ts'

const DAYS = 30
// The partition is dropped this long after the start of the flood, when the flood has reached its full speed.
const DROP_AFTER_MS = 3_000
// Submissions that the change delays end within this time after it.
const AFTER_MS = 1_000
// The worker removes no tasks, so that only this measurement drops the partition.
const SETTINGS = { RETENTION_DAYS: '0' }

interface Round {
  changeMs: number
  /** p99 of the submissions from the start of the change to `AFTER_MS` after its end. */
  p99Ms: number
  /** Latency of the slowest of these submissions. */
  slowestMs: number
  /** p99 of all submissions of the flood. */
  wholeP99Ms: number
  freedMb: number
}

export async function measureDrop(context: Context): Promise<Section> {
  const { rounds, tasks } = context.amounts.drop
  const results: Round[] = []
  for (let round = 1; round <= rounds; round++) {
    context.signal.throwIfAborted()
    context.log(`Round ${round} of ${rounds}`)
    const store = await context.stores.open('drop')
    results.push(await measureRound(context, store).finally(() => store.close()))
  }
  const values = (name: keyof Round) => results.map((result) => result[name])
  const changeMs = Math.max(...values('changeMs'))
  const p99Ms = median(values('p99Ms'))
  return {
    title: `A partition of ${tasks} finished tasks is dropped during a flood`,
    lines: [
      `${rounds} round${rounds > 1 ? 's' : ''}, median and range; 64 connections submit as fast as they can`,
      '',
      ...tableOf([
        ['', ''],
        ['time of the change, ms', withRange(values('changeMs'))],
        ['submissions from its start to 1 s after its end, p99 ms', withRange(values('p99Ms'), 1)],
        ['the slowest of them, ms', withRange(values('slowestMs'), 1)],
        ['submissions of the whole flood, p99 ms', withRange(values('wholeP99Ms'), 1)],
        ['disk space that became free, MB', withRange(values('freedMb'))],
      ]),
    ],
    bounds: [
      { text: `the slowest change took ${Math.round(changeMs)} ms (under 1,000)`, isMet: changeMs < 1_000 },
      { text: `p99 of the submissions ${p99Ms.toFixed(1)} ms (under 100)`, isMet: p99Ms < 100 },
    ],
  }
}

async function measureRound({ amounts, signal, log }: Context, store: Store): Promise<Round> {
  const created = await createLedger(store, DAYS)
  const [oldest] = await pastPartitions(created)
  await created.close()
  if (!oldest?.toMs) throw new Error('There is no partition before the current day')
  await seedFinished(store, [seedOf(oldest, amounts.drop.tasks)], log)
  const expiredAt = oldest.toMs + LATE_MS
  return withClient(store, async (client) => {
    const running = await startWaggle(store, SETTINGS, signal)
    try {
      await flood(running.port, client, { tasks: amounts.warmUpTasks }, signal)
      const order = { tasks: Number.MAX_SAFE_INTEGER, limitMs: amounts.drop.floodMs, isDetailed: true }
      let dropped: Dropped | undefined
      const { report } = await flood(running.port, client, order, signal, async () => {
        await pause(DROP_AFTER_MS, signal)
        dropped = await dropExpired(store, expiredAt)
      })
      if (!dropped) throw new Error('The partition was not dropped')
      if (dropped.endedAt + AFTER_MS > report.endedAt) throw new Error('The flood ended before the change')
      const { startedAt, endedAt, freedBytes } = dropped
      const latencies = latenciesWithin(report.submissions ?? [], startedAt, endedAt + AFTER_MS)
      return {
        changeMs: endedAt - startedAt,
        p99Ms: p99(latencies),
        slowestMs: latencies.at(-1) ?? Number.NaN,
        wholeP99Ms: report.p99Ms,
        freedMb: freedBytes / 1_048_576,
      }
    } finally {
      await running.stop()
    }
  })
}

/** Times are in ms since 1970. */
interface Dropped {
  startedAt: number
  endedAt: number
  freedBytes: number
}

/** Drops the partition whose range ended `LATE_MS` before `expiredAt` (ms since 1970), as retention does. */
async function dropExpired(store: Store, expiredAt: number): Promise<Dropped> {
  return withClient(store, async (client) => {
    const readSize = async () => {
      const { rows } = await client.query('select pg_database_size(current_database())::float8 as bytes')
      return rows[0].bytes as number
    }
    const database = await openDatabase(store.databaseUrl)
    try {
      // Opens a connection before the measurement starts.
      await listPartitions(database.maintenance)
      const before = await readSize()
      const startedAt = Date.now()
      // This retention time includes only that partition: the range of the next one ended a day later.
      const { replaced } = await expirePartitions(database, { keptMs: Date.now() - expiredAt })
      const endedAt = Date.now()
      if (replaced.length !== 1) throw new Error(`Expected to drop one partition, not ${replaced.length}`)
      return { startedAt, endedAt, freedBytes: before - (await readSize()) }
    } finally {
      await database.close()
    }
  })
}

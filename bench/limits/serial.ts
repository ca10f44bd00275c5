// A limit of one task at a time: how many tasks of 1 ms run per second, and how soon a freed slot is used.
import { pause } from '../../src/base/loop.ts'
import { untilWorker, withClient } from '../ledger/flood.ts'
import type { Section } from '../ledger/plan.ts'
import { startWaggleApi, startWaggleWorker } from '../running-system.ts'
import type { Stores } from '../stores.ts'
import { tableOf } from '../table.ts'
import { type Context, rounded, SETTINGS } from './plan.ts'
import { submitInBatches } from './submit.ts'

// More than a limit of one can run: a claim and an end take at least a millisecond.
const MAX_PER_SECOND = 1_000
const WARM_UP_MS = 1_000
const WANTED_GAP_MS = 50

interface Serial {
  perSecond: number
  /** Times from the end of a task to the start of the next one, in ms. */
  gapMs: { median: number; p99: number; max: number }
}

export async function measureSerial(context: Context): Promise<Section> {
  const rows: string[][] = []
  const bounds: Section['bounds'] = []
  for (const workers of [1, 3]) {
    const { perSecond, gapMs } = await measureWith(workers, context.stores, context)
    context.log(
      `Tasks of 1 ms, one at a time, worker processes: ${workers}; ${rounded(perSecond)} per second`,
    )
    rows.push([`${workers}`, rounded(perSecond), ...Object.values(gapMs).map(rounded)])
    bounds.push({
      text: `worker processes: ${workers}; a freed slot is used within ${rounded(gapMs.p99)} ms in 99 of 100 cases (${WANTED_GAP_MS} ms)`,
      isMet: gapMs.p99 <= WANTED_GAP_MS,
    })
  }
  const head = ['worker processes', 'tasks/s', 'end to next start: median ms', 'p99 ms', 'max ms']
  return { title: 'Concurrency 1, tasks of 1 ms', lines: tableOf([head, ...rows]), bounds }
}

async function measureWith(workers: number, stores: Stores, { amounts, signal }: Context): Promise<Serial> {
  const { seconds } = amounts.serial
  const store = await stores.open(`serial_${workers}`)
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => store.close())
  const { port, stop } = await startWaggleApi(store, SETTINGS)
  cleanup.defer(stop)
  const count = MAX_PER_SECOND * (seconds + WARM_UP_MS / 1_000)
  await submitInBatches(port, { name: 'one_at_a_time', count, inputOf: () => ({ ms: 1 }) })
  const worker = await startWaggleWorker(store, { ...SETTINGS, WORKER_PROCESSES: `${workers}` })
  cleanup.defer(() => worker.stop())
  return await withClient(store, async (client) => {
    await untilWorker(client, null, signal)
    await pause(WARM_UP_MS + seconds * 1_000, signal)
    const { rows } = await client.query<{ perSecond: number; gaps: number[] }>(
      `with runs as (
         select finished_at, 1000 * extract(epoch from started_at - lag(finished_at) over (order by finished_at))::float8 as gap
         from tasks where status = 'SUCCESS'
       ), last as (select max(finished_at) as at from runs)
       select count(*) / $1::float8 as "perSecond",
              percentile_disc(array[0.5, 0.99, 1]) within group (order by gap) as gaps
       from runs, last where finished_at > last.at - make_interval(secs => $1::float8)`,
      [seconds],
    )
    const { perSecond = Number.NaN, gaps = [] } = rows[0] ?? {}
    const [median = Number.NaN, p99 = Number.NaN, max = Number.NaN] = gaps
    return { perSecond, gapMs: { median, p99, max } }
  })
}

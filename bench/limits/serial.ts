// A limit of one task at a time: how many tasks of 1 ms run per second.
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

export async function measureSerial(context: Context): Promise<Section> {
  const rows: string[][] = []
  for (const workers of [1, 3]) {
    const perSecond = await measureWith(workers, context.stores, context)
    context.log(
      `Tasks of 1 ms, one at a time, worker processes: ${workers}; ${rounded(perSecond)} per second`,
    )
    rows.push([`${workers}`, rounded(perSecond)])
  }
  return {
    title: 'Concurrency 1, tasks of 1 ms',
    lines: tableOf([['worker processes', 'tasks/s'], ...rows]),
    bounds: [],
  }
}

async function measureWith(workers: number, stores: Stores, { amounts, signal }: Context): Promise<number> {
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
    const { rows } = await client.query<{ perSecond: number }>(
      `with ends as (select finished_at as at from tasks where status = 'SUCCESS'), last as (select max(at) as at from ends)
       select count(*) / $1::float8 as "perSecond" from ends, last where ends.at > last.at - make_interval(secs => $1::float8)`,
      [seconds],
    )
    return rows[0]?.perSecond ?? Number.NaN
  })
}

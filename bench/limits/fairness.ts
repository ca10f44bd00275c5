// A key with many waiting tasks beside many keys with one task each: how long the single tasks wait.
import type pg from 'pg'
import { withClient } from '../ledger/flood.ts'
import type { Section } from '../ledger/plan.ts'
import { startWaggleApi, startWaggleWorker } from '../running-system.ts'
import { type Context, rounded, SETTINGS } from './plan.ts'
import { submitInBatches, untilStarted } from './submit.ts'

const BOUND_MS = 1_000
const LIMIT_MS = 120_000

export async function measureFairness(context: Context): Promise<Section> {
  const { amounts, stores, signal, log } = context
  const { waitingTasks, singleKeys } = amounts.fairness
  const store = await stores.open('fairness')
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => store.close())
  const { port, stop } = await startWaggleApi(store, SETTINGS)
  cleanup.defer(stop)
  const submit = (count: number, inputOf: (index: number) => object) =>
    submitInBatches(port, { name: 'one_per_key', count, inputOf })
  const { perSecond } = await submit(waitingTasks, () => ({ key: 'many' }))
  log(`${rounded(waitingTasks)} tasks of one key were submitted in batches, ${rounded(perSecond)} per second`)
  const before = await submit(singleKeys, (index) => ({ key: `before ${index}` }))
  const worker = await startWaggleWorker(store, SETTINGS)
  cleanup.defer(() => worker.stop())
  return await withClient(store, async (client) => {
    await untilStarted(client, before.ids, { limitMs: LIMIT_MS, signal })
    const sinceStart = await msUntilStarted(client, before.ids, '(select started_at from workers)')
    const during = await submit(singleKeys, (index) => ({ key: `during ${index}` }))
    await untilStarted(client, during.ids, { limitMs: LIMIT_MS, signal })
    const sinceSubmission = await msUntilStarted(client, during.ids, 'max(created_at)')
    const left = await countWaiting(client)
    return {
      title: `${rounded(singleKeys)} keys with one task each beside a key with ${rounded(waitingTasks)} tasks`,
      lines: [
        `Concurrency 1 per key, one worker process with 100 slots. At the end ${rounded(left)} tasks of the large key`,
        `waited. They were submitted in batches of 1,000, ${rounded(perSecond)} per second.`,
      ],
      bounds: [
        boundOf('from the start of the worker', sinceStart),
        boundOf('from their submission to a worker that works on the large key', sinceSubmission),
      ],
    }
  })
}

/** @param since SQL of the time from which on the tasks could start */
async function msUntilStarted(client: pg.Client, ids: string[], since: string): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    `select 1000 * extract(epoch from max(started_at) - ${since})::float8 as ms from tasks
     where id = any($1::uuid[])`,
    [ids],
  )
  return rows[0]?.ms ?? Number.NaN
}

async function countWaiting(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    'select count(*)::int as count from held_tasks where started_at is null',
  )
  return rows[0]?.count ?? Number.NaN
}

function boundOf(span: string, ms: number) {
  return {
    text: `${span}, all of them have started after ${rounded(ms)} ms (at most ${rounded(BOUND_MS)})`,
    isMet: ms <= BOUND_MS,
  }
}

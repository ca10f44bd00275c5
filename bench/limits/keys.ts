// Tasks with a limit per key, and the same number of tasks without limits and with a priority, for comparison.
import type pg from 'pg'
import { startWaggle, withClient } from '../ledger/flood.ts'
import type { Section } from '../ledger/plan.ts'
import { tableOf } from '../table.ts'
import { type Context, rounded, SETTINGS } from './plan.ts'
import { submitOneByOne, untilProcessed } from './submit.ts'

const WARM_UP = 1_000
// Time limit of a measurement: 100,000 tasks at 200 per second.
const LIMIT_MS = 500_000

export async function measureKeys(context: Context): Promise<Section> {
  const { tasks, keys } = context.amounts.keys
  const kinds = [
    { name: 'plain', label: 'without limits' },
    { name: 'urgent', label: 'priority `high`' },
    { name: 'one_per_key', label: `concurrency 1, ${rounded(keys)} keys` },
  ]
  const rows: string[][] = []
  for (const { name, label } of kinds) {
    const store = await context.stores.open(`keys_${name}`)
    try {
      const running = await startWaggle(store, SETTINGS, context.signal)
      try {
        const figures = await withClient(store, (client) => measureKind(context, running.port, client, name))
        rows.push([label, ...figures.map(rounded)])
        context.log(`${label}: ${figures.map(rounded).join(' submissions/s, ')} tasks/s`)
      } finally {
        await running.stop()
      }
    } finally {
      await store.close()
    }
  }
  return {
    title: `${rounded(tasks)} tasks that do nothing`,
    lines: [
      'One API process, one worker process with 100 slots, 64 connections. The worker runs tasks during the submissions.',
      '',
      ...tableOf([['tasks', 'submissions/s', 'tasks/s, first submission to last end'], ...rows]),
    ],
    bounds: [],
  }
}

/** @returns submissions per second, and tasks per second from the first submission to the last end */
async function measureKind(
  { amounts, signal }: Context,
  port: number,
  client: pg.Client,
  name: string,
): Promise<number[]> {
  const { tasks, keys } = amounts.keys
  const inputOf = (index: number) => ({ key: `key ${index % keys}` })
  const waiting = { limitMs: LIMIT_MS, signal }
  await submitOneByOne(port, { name, count: WARM_UP, inputOf })
  await untilProcessed(client, { ...waiting, count: WARM_UP })
  const { rows: first } = await client.query('select clock_timestamp() as now')
  const submissionsPerSecond = await submitOneByOne(port, { name, count: tasks, inputOf })
  await untilProcessed(client, { ...waiting, count: WARM_UP + tasks })
  const { rows } = await client.query<{ seconds: number }>(
    'select extract(epoch from max(finished_at) - $1)::float8 as seconds from tasks',
    [first[0].now],
  )
  return [submissionsPerSecond, tasks / (rows[0]?.seconds ?? Number.NaN)]
}

// A rate limit of 500 per second with three workers: starts in sliding seconds by `started_at`, and requests as an HTTP
// server counts them.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mostWithin } from '../../tests/support/sliding-window.ts'
import { withClient } from '../ledger/flood.ts'
import type { Section } from '../ledger/plan.ts'
import { startWaggleApi, startWaggleWorker } from '../running-system.ts'
import { type Context, rounded, SETTINGS } from './plan.ts'
import { submitInBatches, untilProcessed } from './submit.ts'

const PER_SECOND = 500
const WANTED = 450
const WORKERS = 3
// Three times as long as the tasks have to take.
const LIMIT_FACTOR = 3

export async function measureRate({ amounts, stores, signal }: Context): Promise<Section> {
  const { seconds } = amounts.rate
  const count = seconds * PER_SECOND
  const store = await stores.open('rate')
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => store.close())
  const server = await startCountingServer()
  cleanup.defer(server.stop)
  const { port, stop } = await startWaggleApi(store, SETTINGS)
  cleanup.defer(stop)
  const inputOf = () => ({ port: server.port })
  await submitInBatches(port, { name: 'five_hundred_per_second', count, inputOf })
  const worker = await startWaggleWorker(store, { ...SETTINGS, WORKER_PROCESSES: `${WORKERS}` })
  cleanup.defer(() => worker.stop())
  return await withClient(store, async (client) => {
    await untilProcessed(client, { count, limitMs: LIMIT_FACTOR * seconds * 1_000 + 30_000, signal })
    const { rows } = await client.query<{ ms: number }>(
      'select 1000 * extract(epoch from started_at)::float8 as ms from tasks order by started_at',
    )
    const starts = rows.map(({ ms }) => ms)
    const most = mostWithin(starts, 1_000)
    // The last start of a second can be at its beginning, so the limit itself allows `count` starts in a second less.
    const average = (1_000 * (count - PER_SECOND)) / ((starts.at(-1) ?? 0) - (starts[0] ?? 0))
    return {
      title: `A rate limit of ${PER_SECOND} per second, ${WORKERS} worker processes, ${rounded(count)} tasks`,
      lines: [
        'Each task sends a request to an HTTP server, which counts by its own clock: requests are delayed differently.',
        `It received at most ${mostWithin(server.requests, 1_000)} requests in a sliding second.`,
      ],
      bounds: [
        {
          text: `at most ${most} starts in any sliding second by \`started_at\` (at most ${PER_SECOND})`,
          isMet: most <= PER_SECOND,
        },
        {
          text: `${average.toFixed(1)} starts per second on average (at least ${WANTED})`,
          isMet: average >= WANTED,
        },
      ],
    }
  })
}

/** Starts a server that notes the time of each request in ms. */
async function startCountingServer() {
  const requests: number[] = []
  const server = createServer((_, response) => {
    requests.push(performance.now())
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    async stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}

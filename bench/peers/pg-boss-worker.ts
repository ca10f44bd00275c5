// The worker of pg-boss. It fetches and completes jobs in batches.
import { startBoss } from './pg-boss-queue.ts'
import { QUEUE, type ReverseInput, readSettings, reverse } from './reverse-task.ts'

const { databaseUrl, concurrency } = readSettings()
const boss = await startBoss({ databaseUrl, isWorker: true })

// Several fetchers, so that one batch is fetched while another one runs. Together they run `concurrency`
// jobs.
const FETCHERS = 4

await boss.work<ReverseInput>(
  QUEUE,
  {
    batchSize: concurrency / FETCHERS,
    localConcurrency: FETCHERS,
    burstWhenBatchFull: true,
    pollingIntervalSeconds: 0.5,
    perJobResults: true,
  },
  (jobs) =>
    Promise.all(
      jobs.map(async ({ id, data }) => ({ id, status: 'completed' as const, output: await reverse(data) })),
    ),
)

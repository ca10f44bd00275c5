// The worker of graphile-worker, with the settings for throughput of its documentation (page "Performance").
import { run } from 'graphile-worker'
import { QUEUE, type ReverseInput, readSettings, reverse } from './reverse-task.ts'

const { databaseUrl, concurrency } = readSettings()

await run({
  parsedCronItems: [],
  taskList: { [QUEUE]: (payload) => reverse(payload as ReverseInput).then(() => {}) }, // the API has validated it
  preset: {
    worker: {
      connectionString: databaseUrl,
      concurrentJobs: concurrency,
      maxPoolSize: 25,
      localQueue: { size: 500 },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
})

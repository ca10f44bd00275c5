// The worker of "BullMQ + rows": writes the start and the end of each task to its row.
import { Worker } from 'bullmq'
import { redisConnection } from './job-queue.ts'
import { QUEUE, type ReverseInput, type ReverseResult, readSettings, reverse } from './reverse-task.ts'
import { openTaskRows } from './task-rows.ts'

const { redisUrl, databaseUrl, concurrency } = readSettings()
const rows = openTaskRows(databaseUrl)

const worker = new Worker<ReverseInput, ReverseResult>(
  QUEUE,
  async (job) => {
    const id = job.id ?? ''
    await rows.start(id)
    const result = await reverse(job.data)
    await rows.succeed(id, result)
    return result
  },
  { connection: redisConnection(redisUrl), concurrency },
)
worker.on('error', (error) => console.error(error))
worker.on('failed', (job, error) => console.error(job?.id, error))

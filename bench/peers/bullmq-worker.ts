// The worker of "BullMQ, no rows".
import { Worker } from 'bullmq'
import { redisConnection } from './job-queue.ts'
import { QUEUE, type ReverseInput, type ReverseResult, readSettings, reverse } from './reverse-task.ts'

const { redisUrl, concurrency } = readSettings()

const worker = new Worker<ReverseInput, ReverseResult>(QUEUE, (job) => reverse(job.data), {
  connection: redisConnection(redisUrl),
  concurrency,
})
worker.on('error', (error) => console.error(error))
worker.on('failed', (job, error) => console.error(job?.id, error))

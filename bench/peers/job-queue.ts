// BullMQ as its documentation sets it up for production, for both of the systems that use it.
import { type ConnectionOptions, Queue, QueueEvents } from 'bullmq'
import { QUEUE, type ReverseInput, type ReverseResult } from './reverse-task.ts'

export interface JobQueue {
  add(input: ReverseInput, jobId?: string): Promise<string>
  /** Resolves when the job has ended, is gone because it had ended, or the time is up. */
  waitForEnd(jobId: string, waitMs: number): Promise<ReverseResult | undefined>
  /** Jobs that wait, run or have failed. */
  countUnfinished(): Promise<number>
}

export function createJobQueue(connection: ConnectionOptions): JobQueue {
  const queue = new Queue<ReverseInput, ReverseResult>(QUEUE, {
    connection,
    defaultJobOptions: {
      attempts: 3,
      backoff: { type: 'exponential', delay: 1_000 },
      removeOnComplete: true,
      removeOnFail: { count: 1_000 },
    },
  })
  let events: QueueEvents | undefined
  return {
    async add(input, jobId) {
      const job = await queue.add('reverse', input, { jobId })
      if (!job.id) throw new Error('BullMQ gave the job no id')
      return job.id
    },
    async waitForEnd(jobId, waitMs) {
      // Made for the first who waits: its stream of every job's events must not weigh on the floods before.
      events ??= new QueueEvents(QUEUE, { connection })
      events.setMaxListeners(0)
      const job = await queue.getJob(jobId)
      // The job ended between the two looks, and was removed; or the time was up.
      return job?.waitUntilFinished(events, waitMs).catch(() => undefined)
    },
    async countUnfinished() {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized', 'failed')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
  }
}

/** Workers must never give up on a command; it does the API no harm either. */
export function redisConnection(redisUrl: string): ConnectionOptions {
  return { url: redisUrl, maxRetriesPerRequest: null }
}

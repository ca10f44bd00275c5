// Sets up BullMQ as its documentation recommends for production. All systems on BullMQ use this file.
import { type ConnectionOptions, Queue, QueueEvents } from 'bullmq'
import { QUEUE, type ReverseInput, type ReverseResult } from './reverse-task.ts'

export interface JobQueue {
  add(input: ReverseInput, jobId?: string): Promise<string>
  /**
   * Resolves when the job has ended, when it no longer exists (completed jobs are removed), or after
   * `waitMs`.
   */
  waitForEnd(jobId: string, waitMs: number): Promise<ReverseResult | undefined>
  /** Counts jobs that wait, run or have failed. */
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
      if (!job.id) throw new Error('BullMQ returned a job without an id')
      return job.id
    },
    async waitForEnd(jobId, waitMs) {
      // Created at the first wait, because it receives the events of every job, which would slow down the
      // floods that are measured earlier.
      events ??= new QueueEvents(QUEUE, { connection })
      events.setMaxListeners(0)
      const job = await queue.getJob(jobId)
      // `waitUntilFinished` rejects if the job has ended and was removed after `getJob`, or after `waitMs`.
      return job?.waitUntilFinished(events, waitMs).catch(() => undefined)
    },
    async countUnfinished() {
      const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized', 'failed')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
  }
}

/**
 * BullMQ workers require `maxRetriesPerRequest: null`, which repeats commands without a limit. The API uses
 * the same settings.
 */
export function redisConnection(redisUrl: string): ConnectionOptions {
  return { url: redisUrl, maxRetriesPerRequest: null }
}

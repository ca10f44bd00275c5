// The task that the BullMQ systems run: the schema of a submission, the work itself, and the settings.
import { z } from 'zod'

export const QUEUE = 'tasks'

export const submission = z.object({ input: z.object({ text: z.string().min(1).max(10_000) }) })

export type ReverseInput = z.infer<typeof submission>['input']

export interface ReverseResult {
  text: string
}

export async function reverse({ text }: ReverseInput): Promise<ReverseResult> {
  return { text: [...text].reverse().join('') }
}

export interface Settings {
  port: number
  redisUrl: string
  databaseUrl: string
  concurrency: number
}

export function readSettings(): Settings {
  const { PORT, REDIS_URL, DATABASE_URL, WORKER_CONCURRENCY } = process.env
  if (!REDIS_URL || !DATABASE_URL) throw new Error('REDIS_URL and DATABASE_URL must be set')
  return {
    port: Number(PORT),
    redisUrl: REDIS_URL,
    databaseUrl: DATABASE_URL,
    concurrency: Number(WORKER_CONCURRENCY),
  }
}

// A row of the `tasks` table of the BullMQ systems, and the operations on it.
import type { ReverseInput, ReverseResult } from './reverse-task.ts'

export interface TaskRow {
  id: string
  name: string
  status: 'PENDING' | 'STARTED' | 'SUCCESS'
  input: ReverseInput
  result: ReverseResult | null
  createdAt: Date
  startedAt: Date | null
  finishedAt: Date | null
}

export interface TaskRows {
  createTable(): Promise<void>
  insert(name: string, input: ReverseInput): Promise<TaskRow>
  start(id: string): Promise<void>
  succeed(id: string, result: ReverseResult): Promise<void>
  find(id: string): Promise<TaskRow | undefined>
}

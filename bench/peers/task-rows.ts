// Opens the `tasks` table of the BullMQ systems, with one of two implementations.
import { openPlainTaskRows } from './plain-task-rows.ts'
import type { TaskRows } from './task-row.ts'
import { openTunedTaskRows } from './tuned-task-rows.ts'

/**
 * @param style `tuned` for hand-written prepared statements, otherwise Drizzle. Default: the first argument
 * of the process
 */
export function openTaskRows(databaseUrl: string, style = process.argv[2]): TaskRows {
  return style === 'tuned' ? openTunedTaskRows(databaseUrl) : openPlainTaskRows(databaseUrl)
}

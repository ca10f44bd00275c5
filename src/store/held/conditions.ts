// SQL conditions about limits, for statements about plain tasks.
import { sql } from '../drizzle.ts'

const LIMITED_DEFINITIONS = sql`array(select name from limits where scope = 'definition')`
const LIMITED_QUEUES = sql`array(select name from limits where scope = 'queue')`

/**
 * SQL condition that excludes tasks with limits: only `claimHeld` may start them. The subqueries run once per
 * statement.
 */
export const NOT_LIMITED = sql`tasks.name <> all(${LIMITED_DEFINITIONS}) and tasks.queue <> all(${LIMITED_QUEUES})`

/** SQL condition that selects tasks that must be held. */
export const MUST_BE_HELD = sql`(tasks.name = any(${LIMITED_DEFINITIONS}) or tasks.queue = any(${LIMITED_QUEUES})
  or tasks.priority is not null or tasks.expires_at is not null)`

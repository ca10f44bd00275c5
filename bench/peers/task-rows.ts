// One row per task, written the plain way: Drizzle on a pool as `pg` makes it, each write a statement and a commit of
// its own.
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import pg from 'pg'
import type { ReverseInput, ReverseResult } from './reverse-task.ts'
import { openTunedTaskRows } from './tuned-task-rows.ts'

const moment = (name: string) => timestamp(name, { withTimezone: true })

const tasks = pgTable('tasks', {
  id: uuid('id').primaryKey().defaultRandom(),
  name: text('name').notNull(),
  status: text('status', { enum: ['PENDING', 'STARTED', 'SUCCESS'] })
    .notNull()
    .default('PENDING'),
  input: jsonb('input').$type<ReverseInput>().notNull(),
  result: jsonb('result').$type<ReverseResult>(),
  createdAt: moment('created_at').notNull().defaultNow(),
  startedAt: moment('started_at'),
  finishedAt: moment('finished_at'),
})

// The same table, as a migration would make it.
const TABLE = sql`
  create table if not exists tasks (
    id uuid primary key default gen_random_uuid(),
    name text not null,
    status text not null default 'PENDING',
    input jsonb not null,
    result jsonb,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz
  )`

export type TaskRow = typeof tasks.$inferSelect

export interface TaskRows {
  createTable(): Promise<void>
  insert(name: string, input: ReverseInput): Promise<TaskRow>
  start(id: string): Promise<void>
  succeed(id: string, result: ReverseResult): Promise<void>
  find(id: string): Promise<TaskRow | undefined>
}

/** `tuned` writes by hand what Drizzle would: see there. */
export function openTaskRows(databaseUrl: string, style = process.argv[2]): TaskRows {
  return style === 'tuned' ? openTunedTaskRows(databaseUrl) : openPlainTaskRows(databaseUrl)
}

function openPlainTaskRows(databaseUrl: string): TaskRows {
  const pool = new pg.Pool({ connectionString: databaseUrl })
  pool.on('error', (error) => console.error(error))
  const database = drizzle(pool)
  return {
    async createTable() {
      await database.execute(TABLE)
    },
    async insert(name, input) {
      const [row] = await database.insert(tasks).values({ name, input }).returning()
      if (!row) throw new Error('the insert returned no row')
      return row
    },
    async start(id) {
      await database.update(tasks).set({ status: 'STARTED', startedAt: new Date() }).where(eq(tasks.id, id))
    },
    async succeed(id, result) {
      const end = { status: 'SUCCESS', result, finishedAt: new Date() } as const
      await database.update(tasks).set(end).where(eq(tasks.id, id))
    },
    async find(id) {
      const [row] = await database.select().from(tasks).where(eq(tasks.id, id))
      return row
    },
  }
}

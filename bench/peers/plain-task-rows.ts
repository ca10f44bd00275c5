// Stores task rows with Drizzle on a `pg` pool with default settings. Each write is one statement and one
// commit.
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core'
import pg from 'pg'
import type { ReverseInput, ReverseResult } from './reverse-task.ts'
import type { TaskRows } from './task-row.ts'

const timestamptz = (name: string) => timestamp(name, { withTimezone: true })

const tasks = pgTable('tasks', {
  id: uuid('id').primaryKey().defaultRandom(),
  name: text('name').notNull(),
  status: text('status', { enum: ['PENDING', 'STARTED', 'SUCCESS'] })
    .notNull()
    .default('PENDING'),
  input: jsonb('input').$type<ReverseInput>().notNull(),
  result: jsonb('result').$type<ReverseResult>(),
  createdAt: timestamptz('created_at').notNull().defaultNow(),
  startedAt: timestamptz('started_at'),
  finishedAt: timestamptz('finished_at'),
})

// The DDL of the table above.
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

export function openPlainTaskRows(databaseUrl: string): TaskRows {
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

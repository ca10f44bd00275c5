// One row per task, written the plain way: each write is a statement and a commit of its own.
import pg from 'pg'
import type { ReverseInput, ReverseResult } from './reverse-task.ts'

export interface TaskRow {
  id: string
  name: string
  status: 'PENDING' | 'STARTED' | 'SUCCESS'
  input: ReverseInput
  result: ReverseResult | null
  created_at: Date
  started_at: Date | null
  finished_at: Date | null
}

export interface TaskRows {
  createTable(): Promise<void>
  insert(name: string, input: ReverseInput): Promise<TaskRow>
  start(id: string): Promise<void>
  succeed(id: string, result: ReverseResult): Promise<void>
  find(id: string): Promise<TaskRow | undefined>
}

const TABLE = `
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

// Named, so that each connection prepares them once.
const INSERT = { name: 'insert', text: 'insert into tasks (name, input) values ($1, $2) returning *' }
const START = { name: 'start', text: `update tasks set status = 'STARTED', started_at = now() where id = $1` }
const SUCCEED = {
  name: 'succeed',
  text: `update tasks set status = 'SUCCESS', result = $2, finished_at = now() where id = $1`,
}
const FIND = { name: 'find', text: 'select * from tasks where id = $1' }

export function openTaskRows(databaseUrl: string): TaskRows {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 20 })
  pool.on('error', (error) => console.error(error))
  return {
    async createTable() {
      await pool.query(TABLE)
    },
    async insert(name, input) {
      const { rows } = await pool.query<TaskRow>({ ...INSERT, values: [name, input] })
      if (!rows[0]) throw new Error('the insert returned no row')
      return rows[0]
    },
    async start(id) {
      await pool.query({ ...START, values: [id] })
    },
    async succeed(id, result) {
      await pool.query({ ...SUCCEED, values: [id, result] })
    },
    async find(id) {
      const { rows } = await pool.query<TaskRow>({ ...FIND, values: [id] })
      return rows[0]
    },
  }
}

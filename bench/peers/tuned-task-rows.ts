// Stores task rows with a larger pool and named statements, which each connection prepares once.
import pg from 'pg'
import type { TaskRow, TaskRows } from './task-row.ts'

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

const COLUMNS =
  'id, name, status, input, result, created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt"'
const INSERT = {
  name: 'insert',
  text: `insert into tasks (name, input) values ($1, $2) returning ${COLUMNS}`,
}
const START = { name: 'start', text: `update tasks set status = 'STARTED', started_at = now() where id = $1` }
const SUCCEED = {
  name: 'succeed',
  text: `update tasks set status = 'SUCCESS', result = $2, finished_at = now() where id = $1`,
}
const FIND = { name: 'find', text: `select ${COLUMNS} from tasks where id = $1` }

export function openTunedTaskRows(databaseUrl: string): TaskRows {
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

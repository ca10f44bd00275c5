// Tests infra-cdktf/host/database-role.js on a real Postgres: a master user that is not a superuser, as on
// RDS, creates the role of the API and the workers.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from '../../src/store/database.ts'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'

const SCRIPT = readFileSync(new URL('../../infra-cdktf/host/database-role.js', import.meta.url))
const MASTER = { MASTER_USER: 'waggle_master', MASTER_PASSWORD: `of "RDS"'s $own` }

let folder: string
let server: PostgresServer | undefined
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-role-'))
  chmodSync(folder, 0o755)
  const rules = join(folder, 'pg_hba.conf')
  // Only the superuser, which the test uses, connects without a password.
  writeFileSync(rules, 'host all waggle all trust\nhost all all all scram-sha-256\n')
  server = await startPostgresServer({
    fsync: 'off',
    hba_file: rules,
    // As on RDS, where the log is exported to CloudWatch.
    log_statement: 'ddl',
    logging_collector: 'on',
    log_filename: 'postgres.log',
  })
  if (!server) return
  const { escapeIdentifier, escapeLiteral } = new pg.Client()
  const { MASTER_USER, MASTER_PASSWORD } = MASTER
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await client.query(
    `create role ${escapeIdentifier(MASTER_USER)} login createrole createdb password ${escapeLiteral(MASTER_PASSWORD)}`,
  )
  await client.query(`create database waggle owner ${escapeIdentifier(MASTER_USER)}`)
  await client.end()
})
afterAll(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs the script as host/database-role.sh runs it in the container. */
function run(password: string, settings: Record<string, string> = {}) {
  const url = urlOf(password)
  const env = { PATH: process.env.PATH, DATABASE_URL: url, ...settings }
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-'], { input: SCRIPT, env })
  return { status, stderr: String(stderr) }
}

function urlOf(password: string): string {
  const url = new URL(server?.url ?? 'postgres://127.0.0.1:1')
  Object.assign(url, {
    username: 'waggle_app',
    // The setter of URL encodes most special characters, but not the percent sign.
    password: encodeURIComponent(password),
    pathname: '/waggle',
  })
  return url.href
}

describe('the role of the API and the workers', () => {
  beforeEach((context) => {
    if (!server) context.skip('needs PostgreSQL')
  })

  test('cannot connect before it exists, which the script reports with exit code 3', () => {
    expect(run('first')).toEqual({ status: 3, stderr: '' })
  })

  test('is created by the master user, can connect, and can migrate the database', async () => {
    expect(run('first', MASTER)).toEqual({ status: 0, stderr: '' })
    expect(run('first')).toEqual({ status: 0, stderr: '' })
    const database = await openDatabase(urlOf('first'))
    await database.migrate()
    await database.close()
  })

  test('can count the tasks of a database that was restored under another name', () => {
    // The restored instance has the same password and another address.
    const env = { PATH: process.env.PATH, DATABASE_URL: urlOf('first').replace('127.0.0.1', 'db.invalid') }
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-'], {
      input: readFileSync(new URL('../../infra-cdktf/host/count-tasks.js', import.meta.url)),
      env: { ...env, RESTORED_HOST: '127.0.0.1' },
      encoding: 'utf8',
    })
    expect({ stdout, stderr }).toEqual({ stdout: '0 tasks\n', stderr: '' })
  })

  test('gets a changed password from the master user, also when the script runs twice', () => {
    expect(run(`it's "new"`)).toEqual({ status: 3, stderr: '' })
    for (let time = 0; time < 2; time++) expect(run(`it's "new"`, MASTER)).toEqual({ status: 0, stderr: '' })
    expect(run(`it's "new"`)).toEqual({ status: 0, stderr: '' })
  })

  test('logs in with any printable ASCII characters in its password', () => {
    const ascii = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index))
    for (const password of [
      ascii,
      'with spaces ',
      `it's "new"`,
      '%41?&#/@:',
      'SCRAM-SHA-256$4096:a$b:c',
      'x'.repeat(1_000),
    ]) {
      expect(run(password, MASTER), password).toEqual({ status: 0, stderr: '' })
      expect(run(password), password).toEqual({ status: 0, stderr: '' })
      expect(run(`${password}x`), password).toEqual({ status: 3, stderr: '' })
    }
  })

  test.each(['grüße', 'soft\u00adhyphen', 'tab\t', ''])('does not get the password %j', (password) => {
    const { status, stderr } = run(password, MASTER)
    expect(status).toBe(1)
    expect(stderr).toContain('DATABASE_PASSWORD must consist of printable ASCII characters')
  })

  test('gets its password without a line in the log of Postgres that contains it', async () => {
    const client = new pg.Client({ connectionString: server?.url })
    await client.connect()
    const { rows } = await client.query('show data_directory')
    await client.end()
    expect(run('first-secret', MASTER).status).toBe(0)
    expect(run('second-secret', MASTER).status).toBe(0)
    const log = readFileSync(join(rows[0].data_directory, 'log/postgres.log'), 'utf8')
    expect(log).toMatch(/alter role "?waggle_app"? login password 'SCRAM-SHA-256\$4096:/)
    expect(log).not.toMatch(/first-secret|second-secret/)
  })

  test('a Postgres that cannot be reached has another exit code than a refused role', () => {
    const { status, stderr } = run('first', {
      DATABASE_URL: 'postgres://waggle_app:first@127.0.0.1:1/waggle',
    })
    expect(status).toBe(1)
    expect(stderr).toContain('ECONNREFUSED')
  })
})

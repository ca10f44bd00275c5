// docker/backup.sh and docker/restore.sh against PostgreSQL, without containers: `docker compose exec` runs
// the programs of this machine. tests/containers/ tests both in containers.
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { z } from 'zod'
import { defineTask, PermanentError, RetryLaterError } from '../../src/definitions/define.ts'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'
import { startSystem, type TestSystem, until } from '../support/system.ts'

const HOUR_S = 3_600

// A program that stands in for `docker`: it runs the commands of the scripts on a local Postgres server, as on a
// host whose only container is that of Postgres.
const DOCKER = `#!/bin/sh
case $* in
  *'config --services') echo postgres ;;
  *' exec -T postgres '*)
    until [ "$1" = postgres ]; do shift; done
    shift
    exec "$@"
    ;;
esac
`

describe.skipIf(inject('postgresUrl') === null)('a backup', () => {
  let server: PostgresServer
  let system: TestSystem | undefined
  const folder = mkdtempSync(join(tmpdir(), 'waggle-backup-'))
  const backups = join(folder, 'backups')

  beforeAll(async () => {
    server = (await startPostgresServer({ fsync: 'off' })) as PostgresServer
    await admin('create database waggle')
    for (const name of ['backup.sh', 'restore.sh'])
      cpSync(new URL(`../../docker/${name}`, import.meta.url), join(folder, 'docker', name))
    mkdirSync(join(folder, 'bin'))
    writeFileSync(join(folder, 'bin/docker'), DOCKER, { mode: 0o755 })
  })
  afterAll(async () => {
    await system?.stop()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function admin(statement: string, database = 'postgres') {
    const client = new pg.Client({ connectionString: server.url.replace('/postgres', `/${database}`) })
    await client.connect()
    const { rows } = await client.query(statement)
    await client.end()
    return rows
  }

  const databases = async () => {
    const rows = await admin("select datname from pg_database where datname like 'waggle%' order by 1")
    return rows.map(({ datname }) => datname as string)
  }

  function run(script: string, argument: string, env: Record<string, string> = {}) {
    const PATH = `${join(folder, 'bin')}:${server.programs}:${process.env.PATH}`
    const address = { PGHOST: '127.0.0.1', PGPORT: new URL(server.url).port }
    const result = spawnSync(join(folder, 'docker', script), [argument], {
      cwd: folder,
      env: { PATH, ...address, ...env },
      encoding: 'utf8',
    })
    return { code: result.status, output: result.stdout + result.stderr }
  }

  const written = () => readdirSync(backups).filter((name) => name.endsWith('.dump'))

  const runs: string[] = []
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => (open = resolve))
  const common = {
    title: 'Does what its name says',
    description: 'for tests',
    input: z.object({ name: z.string() }),
    output: z.string(),
    example: { name: 'succeeded' },
    async run({ name }: { name: string }, { attempt }: { attempt: number }) {
      runs.push(name)
      if (name.startsWith('running')) await gate
      if (name === 'failed') throw new PermanentError('failed')
      if (name === 'retried' && attempt === 1) throw new RetryLaterError('later', { delayMs: HOUR_S * 1_000 })
      return name
    },
  }
  const definitions = [
    defineTask({ ...common, name: 'work' }),
    defineTask({ ...common, name: 'one_at_a_time', concurrency: { limit: 1 } }),
  ]
  const startHost = (queues: string[]) =>
    startSystem({
      connectThrough: () => server.url.replace('/postgres', '/waggle'),
      definitions,
      worker: { queues },
    })
  const ids = new Map<string, string>()
  let before: unknown[]
  const endedTasks = (of: TestSystem) =>
    Promise.all(['succeeded', 'failed', 'cancelled'].map((name) => of.task(ids.get(name) as string)))

  test('is written while tasks run', async () => {
    system = await startHost(['default'])
    const { submit, task, taskWhen, request } = system
    const add = async (name: string, options?: object, definition = 'work') => {
      ids.set(name, (await submit(definition, { name }, options)).id)
      return ids.get(name) as string
    }
    await system.taskWhenFinal(await add('succeeded'))
    await system.taskWhenFinal(await add('failed'))
    await request('POST', `/v1/tasks/${await add('cancelled', { queue: 'later' })}/cancel`)
    await taskWhen(await add('retried'), ({ status }) => status === 'RETRY')
    await taskWhen(await add('running'), ({ status }) => status === 'STARTED')
    const limited = await add('running with a limit', {}, 'one_at_a_time')
    await taskWhen(limited, ({ status }) => status === 'STARTED')
    await add('waiting for the limit', {}, 'one_at_a_time')
    await add('waiting', { queue: 'later' })
    await add('delayed', { delay_seconds: HOUR_S })
    const schedule = { definition: 'work', input: { name: 'scheduled' }, every_seconds: HOUR_S * 24 }
    expect((await request('PUT', '/v1/schedules/daily', schedule)).status).toBe(201)
    before = await endedTasks(system)

    expect(run('backup.sh', backups)).toEqual({ code: 0, output: expect.stringContaining('Wrote /') })
    expect(written()).toHaveLength(1)

    open()
    await system.taskWhenFinal(ids.get('running') as string)
    await system.taskWhenFinal(ids.get('waiting for the limit') as string)
    await add('submitted after the backup')
    expect(await task(ids.get('waiting') as string)).toMatchObject({ status: 'PENDING' })
    await system.stop()
    system = undefined
  })

  test('restored into an empty database, with an empty Redis, loses nothing and repeats nothing that had ended', async () => {
    await admin('drop database waggle')
    await admin('create database waggle')
    const { code, output } = run('restore.sh', join(backups, written()[0] as string))
    expect({ code, output }).toMatchObject({ code: 0 })
    expect(output).toContain('docker compose up -d --wait')
    runs.length = 0
    system = await startHost(['default', 'later'])
    const { task, taskWhenFinal } = system

    // Those that ran at the time of the backup run again.
    const due = ['running', 'running with a limit', 'waiting', 'waiting for the limit']
    for (const name of due)
      expect(await taskWhenFinal(ids.get(name) as string)).toMatchObject({ status: 'SUCCESS', result: name })
    expect(runs.toSorted()).toEqual(due)
    expect(await endedTasks(system)).toEqual(before)
    const { status } = await system.request('GET', `/v1/tasks/${ids.get('submitted after the backup')}`)
    expect(status).toBe(404)

    // An hour, or a day, later.
    expect(await task(ids.get('delayed') as string)).toMatchObject({ status: 'PENDING' })
    expect(await task(ids.get('retried') as string)).toMatchObject({ status: 'RETRY' })
    await admin('update tasks set run_at = now() where run_at > now()', 'waggle')
    await admin('update schedules set next_at = now()', 'waggle')
    for (const name of ['delayed', 'retried'])
      expect(await taskWhenFinal(ids.get(name) as string)).toMatchObject({ status: 'SUCCESS', result: name })
    await until(
      async () => runs,
      (all) => all.includes('scheduled'),
    )
    expect(runs.toSorted()).toEqual([...due, 'delayed', 'retried', 'scheduled'].toSorted())
    expect(await endedTasks(system)).toEqual(before)
    await system.stop()
    system = undefined
  })

  test('is restored beside the present database, which is kept', async () => {
    const [first = '', ...others] = await databases()
    for (const name of others) await admin(`drop database ${name}`)
    expect(first).toBe('waggle')
    const finished = "select count(*)::int from tasks where status = 'SUCCESS'"
    const [{ count: present }] = await admin(finished, 'waggle')
    const { code, output } = run('restore.sh', join(backups, written()[0] as string))
    expect({ code, output }).toMatchObject({ code: 0 })
    const [, old = ''] = await databases()
    expect(output).toContain(`dropdb -U waggle ${old}`)
    expect(await admin(finished, old)).toEqual([{ count: present }])
    expect(await admin(finished, 'waggle')).toEqual([{ count: 1 }])
    // Reads are planned with statistics, which a backup does not contain.
    const analyzed =
      "select count(*)::int from pg_stats where tablename like 'tasks_2%' and attname = 'status'"
    expect((await admin(analyzed, 'waggle'))[0].count).toBeGreaterThan(0)
  })

  test('that is damaged changes nothing', async () => {
    const damaged = join(folder, 'damaged.dump')
    cpSync(join(backups, written()[0] as string), damaged)
    truncateSync(damaged, readFileSync(damaged).length - 100)
    const names = await databases()
    const { code, output } = run('restore.sh', damaged)
    expect({ code, output }).toMatchObject({ code: 1 })
    expect(output).toContain('Nothing was changed')
    expect(await databases()).toEqual(names)
  })

  test('changes nothing while a process of another host uses the database', async () => {
    for (const name of (await databases()).slice(1)) await admin(`drop database ${name}`)
    const client = new pg.Client({ connectionString: server.url.replace('/postgres', '/waggle') })
    await client.connect()
    const { code, output } = run('restore.sh', join(backups, written()[0] as string))
    await client.end()
    expect({ code, output }).not.toMatchObject({ code: 0 })
    expect(output).toContain('is being accessed by other users')
    expect(await databases()).toEqual(['waggle'])
  })

  test('is kept for BACKUP_DAYS, and longer if there is no newer one', () => {
    const [first = ''] = written()
    const age = (name: string, days: number) => {
      const at = Date.now() / 1_000 - days * 86_400
      writeFileSync(join(backups, name), '')
      utimesSync(join(backups, name), at, at)
    }
    age('waggle-older.dump', 8)
    age('waggle-newer.dump', 6)
    age('other.dump', 30)
    const days = { BACKUP_DAYS: '7' }
    expect(run('backup.sh', backups, { ...days, PGPORT: '1' })).not.toMatchObject({ code: 0 })
    const kept = [first, 'waggle-newer.dump', 'other.dump']
    expect(written().toSorted()).toEqual([...kept, 'waggle-older.dump'].toSorted())
    expect(run('backup.sh', backups, days)).toMatchObject({ code: 0 })
    expect(written()).toEqual(expect.arrayContaining(kept))
    expect(written()).not.toContain('waggle-older.dump')
    expect(written()).toHaveLength(kept.length + 1)
    expect(readdirSync(backups).filter((name) => name.endsWith('.part'))).toEqual([])
  })
})

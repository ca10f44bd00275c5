// Starts a PostgreSQL server for tests and benches from the installed programs, or from those in the folder
// TEST_POSTGRES_PROGRAMS, with its data in a temporary folder.
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { pause } from '../../src/base/loop.ts'
import { freePort, startChildServer } from '../../src/embedded/child-server.ts'

export interface PostgresServer {
  /** Connection URL of the maintenance database `postgres`, as a superuser. */
  url: string
  pid: number
  /** Folder of its programs. */
  programs: string
  version: string
  stop(): Promise<void>
}

/**
 * @param settings server settings, e.g. `{ fsync: 'off' }` for tests that do not depend on durability
 * @returns undefined where PostgreSQL is not installed, or if TEST_POSTGRES_PROGRAMS is empty
 */
export async function startPostgresServer(
  settings: Record<string, string> = {},
): Promise<PostgresServer | undefined> {
  const bin = process.env.TEST_POSTGRES_PROGRAMS ?? findBinaries()
  if (!bin) return undefined
  const user = unprivilegedUser()
  const folder = mkdtempSync(join(tmpdir(), 'waggle-postgres-'))
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid as number)
  const data = join(folder, 'data')
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'waggle', '-A', 'trust', '--no-sync', '-E', 'UTF8', '--locale=C'],
    { ...user, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const port = await freePort()
  const flags = Object.entries({ max_connections: '200', ...settings }).flatMap(([k, v]) => [
    '-c',
    `${k}=${v}`,
  ])
  const child = await startChildServer(
    [join(bin, 'postgres'), '-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, ...flags],
    { ...user, cwd: folder },
  )
  const url = `postgres://waggle@127.0.0.1:${port}/postgres`
  const version = await untilReady(url)
  return {
    url,
    pid: child.pid,
    programs: bin,
    version,
    async stop() {
      await child.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = versions.map((version) => join(debian, version, 'bin'))
  const onPath = (process.env.PATH ?? '').split(':')
  return [...folders, ...onPath].find(
    (at) => existsSync(join(at, 'initdb')) && existsSync(join(at, 'postgres')),
  )
}

/**
 * PostgreSQL refuses to run as root. For root, returns the ids of the user `postgres` or `nobody`; otherwise
 * nothing.
 */
function unprivilegedUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {}
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }))
    if (uid?.status === 0 && gid?.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new Error('PostgreSQL does not run as root, and neither the user postgres nor nobody exists')
}

async function untilReady(url: string): Promise<string> {
  const deadline = Date.now() + 120_000
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      const { rows } = await client.query('show server_version')
      await client.end()
      return rows[0].server_version
    } catch (error) {
      client.end().catch(() => {})
      if (Date.now() > deadline) throw error
      await pause(50)
    }
  }
}

// Starts PgBouncer in front of a Postgres server.
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort, startChildServer } from '../../src/embedded/child-server.ts'
import { until } from './system.ts'

const PROGRAM = '/usr/sbin/pgbouncer'

export const hasPgBouncer = existsSync(PROGRAM)

/** @param settings settings of its section `[pgbouncer]`, e.g. `{ pool_mode: 'transaction' }` */
export async function startPgBouncer(databaseUrl: string, settings: Record<string, string>) {
  const { hostname, port: serverPort, username } = new URL(databaseUrl)
  const folder = mkdtempSync(join(tmpdir(), 'waggle-pgbouncer-'))
  chmodSync(folder, 0o755)
  const port = await freePort()
  const lines = Object.entries({
    listen_addr: '127.0.0.1',
    listen_port: String(port),
    unix_socket_dir: '',
    auth_type: 'any',
    ...settings,
  }).map(([name, value]) => `${name} = ${value}`)
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]\n* = host=${hostname} port=${serverPort} user=${username}\n[pgbouncer]\n${lines.join('\n')}\n`,
  )
  // PgBouncer does not run as root.
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
  const server = await startChildServer([PROGRAM, '-q', file], user)
  const url = new URL(databaseUrl)
  url.port = String(port)
  await until(
    async () => {
      const client = new pg.Client({ connectionString: url.href })
      const isUp = await client.connect().then(
        () => true,
        () => false,
      )
      await client.end().catch(() => {})
      return isUp
    },
    (isUp) => isUp,
  )
  return {
    url: url.href,
    async stop() {
      await server.stop()
      rmSync(folder, { recursive: true })
    },
  }
}

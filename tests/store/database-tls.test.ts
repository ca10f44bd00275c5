// Postgres over TLS, as on RDS: a connection needs a certificate of the configured authority and a matching
// host name.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/store/database.ts'
import { type PostgresServer, startPostgresServer } from '../support/postgres-server.ts'

let folder: string
let server: PostgresServer | undefined
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-tls-'))
  chmodSync(folder, 0o755)
  if (spawnSync('openssl', ['version']).status !== 0) return
  for (const name of ['authority', 'other-authority']) makeCertificate(name, ['-subj', `/CN=${name}`])
  makeCertificate('server', [
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
    ...['-CA', join(folder, 'authority.crt'), '-CAkey', join(folder, 'authority.key')],
  ])
  // Postgres requires that its key file belongs to its own user or root and that no other user can read it.
  spawnSync('chown', ['postgres', join(folder, 'server.key')])
  server = await startPostgresServer({
    fsync: 'off',
    ssl: 'on',
    ssl_cert_file: join(folder, 'server.crt'),
    ssl_key_file: join(folder, 'server.key'),
  })
})
afterAll(async () => {
  await server?.stop()
  rmSync(folder, { recursive: true, force: true })
})

function makeCertificate(name: string, options: string[]) {
  const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)]
  const kind = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ]
  execFileSync('openssl', [...kind, ...files, ...options], { stdio: 'pipe' })
}

/** Returns a URL like that in docker-compose.aws.yml. */
function urlTo(host: string, authority: string): string {
  const { port } = new URL(server?.url ?? '')
  const file = join(folder, `${authority}.crt`)
  return `postgres://waggle@${host}:${port}/postgres?sslmode=verify-full&sslrootcert=${file}`
}

test.for([
  ['localhost', 'authority', 'is accepted'],
  ['localhost', 'other-authority', 'is rejected'],
  ['127.0.0.1', 'authority', 'is rejected'],
] as const)(
  'the certificate of a server at %s, verified with %s, %s',
  async ([host, authority, verdict], context) => {
    if (!server) return context.skip('needs PostgreSQL and openssl')
    const database = await openDatabase(urlTo(host, authority))
    if (verdict === 'is accepted') await database.ping()
    else await expect(database.ping()).rejects.toThrow()
    await database.close()
  },
)

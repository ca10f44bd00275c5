// Postgres over TLS, as on RDS: its certificate is verified against the authority that is named, or nothing is said to it.
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
  for (const name of ['authority', 'stranger']) makeCertificate(name, ['-subj', `/CN=${name}`])
  makeCertificate('server', [
    ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
    ...['-CA', join(folder, 'authority.crt'), '-CAkey', join(folder, 'authority.key')],
  ])
  // Postgres wants a key that belongs to itself or to root, and that nobody else reads.
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

/** As docker-compose.aws.yml writes it. */
function urlTo(host: string, authority: string): string {
  const { port } = new URL(server?.url ?? '')
  const file = join(folder, `${authority}.crt`)
  return `postgres://waggle@${host}:${port}/postgres?sslmode=verify-full&sslrootcert=${file}`
}

test.for([
  ['localhost', 'authority', 'is spoken to'],
  ['localhost', 'stranger', 'is refused'],
  ['127.0.0.1', 'authority', 'is refused'],
] as const)('a server at %s, checked against %s, %s', async ([host, authority, verdict], context) => {
  if (!server) return context.skip('needs PostgreSQL and openssl')
  const database = await openDatabase(urlTo(host, authority))
  if (verdict === 'is spoken to') await database.ping()
  else await expect(database.ping()).rejects.toThrow()
  await database.close()
})

// docker/init-env.sh: the settings of HTTPS. tests/containers/ tests the secrets.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-env-'))
  cpSync(new URL('../../docker/init-env.sh', import.meta.url), join(folder, 'docker/init-env.sh'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function run(environment: Record<string, string>) {
  const env = { PATH: process.env.PATH, ...environment }
  return spawnSync('sh', ['docker/init-env.sh'], { cwd: folder, env, encoding: 'utf8' })
}
const written = () => readFileSync(join(folder, '.env'), 'utf8')

test('without DOMAIN no file of Compose is added', () => {
  expect(run({}).status).toBe(0)
  expect(written()).not.toMatch(/DOMAIN|COMPOSE_FILE/)
})

test.each(['tasks.example.com', '93.184.215.14'])('DOMAIN=%s adds HTTPS', (domain) => {
  expect(run({ DOMAIN: domain }).status).toBe(0)
  expect(written()).toContain(`COMPOSE_FILE=docker-compose.yml:docker-compose.https.yml\nDOMAIN=${domain}\n`)
})

test.each([
  'https://tasks.example.com',
  'tasks.example.com:443',
  '*.example.com',
  'Tasks.example.com',
  'a b',
])('DOMAIN=%s is refused, and nothing is written', (domain) => {
  const { status, stderr } = run({ DOMAIN: domain })
  expect([status, stderr]).toEqual([1, expect.stringContaining('DOMAIN must be a domain name')])
  expect(existsSync(join(folder, '.env'))).toBe(false)
})

// Tests docker-compose.yml with one role per host, and its additions for AWS.
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { type ListedWorker, untilWorkers } from './support/client.ts'
import { docker, run } from './support/docker.ts'
import type { Stack } from './support/stack.ts'

const provided = inject('stack')
const stack = provided as Stack // null only where every test of this file is skipped

/** A folder with another .env, which stands for another host. */
let host: string
beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), 'waggle-host-'))
  if (!provided) return
  for (const file of ['', '.https', '.aws', '.hosts'].map((name) => `docker-compose${name}.yml`))
    cpSync(join(stack.folder, file), join(host, file))
})
afterEach(() => rmSync(host, { recursive: true, force: true }))

const project = () => `${stack.project}-other`

function writeEnv(settings: Record<string, string>): void {
  const all = { COMPOSE_PROJECT_NAME: project(), WAGGLE_NETWORK: project(), ...settings }
  writeFileSync(
    join(host, '.env'),
    Object.entries(all)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )
}

/** Reads a setting from the .env of the stack. */
function settingOf(name: string): string {
  return new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(join(stack.folder, '.env'), 'utf8'))?.[1] ?? ''
}

const NAMES = { postgres: 'database.internal', redis: 'redis.internal' }
const containerOf = (service: string) => docker(['compose', 'ps', '-q', service], stack.folder)

const servicesOf = async () => (await docker(['compose', 'config', '--services'], host)).split('\n').sort()

describe.skipIf(!provided)('one role per host', () => {
  test.each([
    ['edge', ['nginx']],
    ['api', ['api', 'migrate']],
    ['worker', ['worker']],
    ['redis', ['redis']],
    ['postgres', ['postgres']],
    ['edge,api', ['api', 'migrate', 'nginx']],
  ])('the profile %s starts %j and depends on no other service', async (profiles, services) => {
    writeEnv({ COMPOSE_PROFILES: profiles })
    expect(await servicesOf()).toEqual(services)
    expect(await run('docker', ['compose', 'config', '-q'], host)).toEqual({ code: 0, output: '' })
  })

  test('docker-compose.https.yml adds the certificates to the profile edge, and requires DOMAIN', async () => {
    const files = 'docker-compose.yml:docker-compose.https.yml'
    writeEnv({ COMPOSE_PROFILES: 'edge', COMPOSE_FILE: files })
    expect((await run('docker', ['compose', 'config', '-q'], host)).output).toContain('DOMAIN is missing')
    appendFileSync(join(host, '.env'), 'DOMAIN=tasks.example.com\n')
    expect(await servicesOf()).toEqual(['certificates', 'nginx'])
    expect(await run('docker', ['compose', 'config', '-q'], host)).toEqual({ code: 0, output: '' })
    writeEnv({ COMPOSE_PROFILES: 'worker', COMPOSE_FILE: files, DOMAIN: 'tasks.example.com' })
    expect(await servicesOf()).toEqual(['worker'])
  })

  test('docker-compose.hosts.yml publishes Redis and Postgres at the private address, and requires that address', async () => {
    const files = 'docker-compose.yml:docker-compose.hosts.yml'
    writeEnv({ COMPOSE_PROFILES: 'redis,postgres', COMPOSE_FILE: files })
    expect((await run('docker', ['compose', 'config', '-q'], host)).output).toContain(
      'the address of this host',
    )
    appendFileSync(join(host, '.env'), 'PRIVATE_ADDRESS=10.1.2.3\n')
    const { services } = JSON.parse(await docker(['compose', 'config', '--format', 'json'], host))
    for (const [name, port] of [
      ['redis', 6379],
      ['postgres', 5432],
    ] as const)
      expect(services[name].ports).toMatchObject([
        { host_ip: '10.1.2.3', published: String(port), target: port },
      ])
  })

  test('a worker on a host of its own connects to Postgres and Redis by their addresses, and registers', async () => {
    writeEnv({
      COMPOSE_PROFILES: 'worker',
      WAGGLE_IMAGE: `${stack.project}/app`,
      WAGGLE_TAG: 'first',
      DATABASE_URL: `postgres://waggle:${settingOf('POSTGRES_PASSWORD')}@database.internal:5432/waggle`,
      REDIS_URL: `redis://:${settingOf('REDIS_PASSWORD')}@redis.internal:6379`,
    })
    let id = ''
    try {
      await docker(['compose', 'create', 'worker'], host)
      id = await docker(['compose', 'ps', '-aq', 'worker'], host)
      // Aliases in the Docker network stand for a private network with its DNS.
      for (const [service, name] of Object.entries(NAMES))
        await docker(['network', 'connect', '--alias', name, project(), await containerOf(service)])
      await docker(['start', id])
      await untilWorkers(stack, (workers) => workers.some(isStartedHere))
    } finally {
      await docker(['compose', 'rm', '-sf', 'worker'], host)
      for (const service of Object.keys(NAMES))
        await docker(['network', 'disconnect', '-f', project(), await containerOf(service)]).catch(() => {})
      await docker(['network', 'rm', project()]).catch(() => {})
    }
    // The stopped worker has deleted its row. A killed worker would stay listed as missing for ten minutes.
    await untilWorkers(stack, (workers) => !workers.some(isStartedHere))

    function isStartedHere({ host }: ListedWorker): boolean {
      return host !== '' && id.startsWith(host)
    }
  })
})

describe.skipIf(!provided)('on AWS', () => {
  test('images come from ECR, connections to RDS verify its certificate, and logs go to CloudWatch without blocking', async () => {
    writeEnv({
      COMPOSE_FILE: 'docker-compose.yml:docker-compose.aws.yml:docker-compose.https.yml',
      DOMAIN: 'tasks.example.com',
      COMPOSE_PROFILES: 'edge,api,worker,redis',
      AWS_REGION: 'eu-central-1',
      ECR_REGISTRY: 'registry.example',
      WAGGLE_TAG: '1a2b3c',
      DATABASE_URL: 'postgres://app:secret@db.example:5432/waggle',
    })
    expect(await servicesOf()).toEqual(['api', 'certificates', 'migrate', 'nginx', 'redis', 'worker'])
    const { services } = JSON.parse(await docker(['compose', 'config', '--format', 'json'], host))
    for (const name of ['api', 'worker', 'migrate', 'certificates']) {
      expect(services[name]).toMatchObject({ image: 'registry.example/waggle-app:1a2b3c' })
      expect(services[name]).not.toHaveProperty('build')
    }
    for (const name of ['api', 'worker', 'migrate']) {
      expect(services[name].environment.DATABASE_URL).toBe(
        'postgres://app:secret@db.example:5432/waggle?sslmode=verify-full&sslrootcert=/etc/ssl/certs/rds-ca.pem',
      )
    }
    expect(services.nginx).toMatchObject({ image: 'registry.example/waggle-web:1a2b3c' })
    const groups = {
      nginx: 'backend-logs',
      api: 'backend-logs',
      certificates: 'backend-logs',
      migrate: 'backend-logs',
      worker: 'worker-logs',
    }
    for (const [name, group] of Object.entries(groups))
      expect(services[name].logging).toMatchObject({
        driver: 'awslogs',
        options: { 'awslogs-group': group, mode: 'non-blocking', 'awslogs-region': 'eu-central-1' },
      })
  })

  test.each(['AWS_REGION', 'ECR_REGISTRY', 'DATABASE_URL'])(
    'without %s, the error names the missing setting',
    async (name) => {
      const all: Record<string, string> = {
        COMPOSE_FILE: 'docker-compose.yml:docker-compose.aws.yml',
        COMPOSE_PROFILES: 'api',
        AWS_REGION: 'eu-central-1',
        ECR_REGISTRY: 'registry.example',
        WAGGLE_TAG: '1a2b3c',
        DATABASE_URL: 'postgres://app:secret@db.example:5432/waggle',
      }
      delete all[name]
      writeEnv(all)
      const { code, output } = await run('docker', ['compose', 'config', '-q'], host)
      expect(code).not.toBe(0)
      expect(output).toContain(name)
    },
  )
})

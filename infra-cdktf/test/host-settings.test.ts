// host/render-env.sh: the settings of a host, rendered from Parameter Store.
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { REDIS_HOST_PARAMETERS } from '../src/names.ts'
import { INSTANCE } from './support/fake-host.ts'
import {
  BOOTSTRAP,
  envLines,
  expectSuccess,
  FIRST,
  parametersOf,
  paths,
  RENDER,
  startHost,
  startRunningHost,
  VALUES,
} from './support/started-host.ts'

// `config` needs the plugin, but no engine.
const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0

/** Returns what Compose makes of the files of a release. */
function composeIn(release: string) {
  for (const name of ['docker-compose.yml', 'docker-compose.aws.yml'])
    copyFileSync(new URL(`../../${name}`, import.meta.url), join(release, name))
  const { stdout, stderr } = spawnSync('docker', ['compose', 'config', '--format', 'json'], {
    cwd: release,
    encoding: 'utf8',
    // Without the fakes in PATH. `config` needs no engine.
    env: { PATH: process.env.PATH },
  })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

describe('the settings of a host', () => {
  test('are rendered into /run, readable only by root, with complete URLs', async () => {
    const host = await startRunningHost('app', {
      [`${paths.app}/MAIL_FROM`]: 'Waggle $HOME <waggle@example.com> # no comment',
    })
    expect(envLines(host)).toEqual([
      `API_KEYS=${VALUES.API_KEYS}`,
      'AWS_REGION=eu-central-1',
      'BACKEND_LOG_GROUP=backend-logs',
      'COMPOSE_FILE=docker-compose.yml:docker-compose.aws.yml',
      'COMPOSE_PROFILES=edge,api,worker,redis',
      `DATABASE_URL=postgres://waggle_app:of-the-database@${VALUES.DATABASE_HOST}:5432/waggle`,
      `ECR_REGISTRY=${VALUES.ECR_REGISTRY}`,
      // Neither Compose nor the shell interprets values in single quotes.
      "MAIL_FROM='Waggle $HOME <waggle@example.com> # no comment'",
      'PRIVATE_ADDRESS=10.30.0.5',
      'REDIS_PASSWORD=of/redis',
      "REDIS_URL='redis://default:of%2Fredis@redis.waggle.internal:6379'",
      `WAGGLE_HOST=app-1/${INSTANCE}`,
      `WAGGLE_TAG=${FIRST}`,
      'WEBHOOK_SECRET=whsec_AAAA',
      'WORKER_LOG_GROUP=worker-logs',
    ])
    for (const name of ['env', 'host', 'project'])
      expect(statSync(join(host.root, 'run/waggle', name)).mode & 0o777, name).toBe(0o600)
    expect(statSync(join(host.root, 'run/waggle')).mode & 0o777).toBe(0o700)
    expect(readlinkSync(join(host.root, 'opt/waggle/current/.env'))).toBe(join(host.root, 'run/waggle/env'))
  })

  test('include DOMAIN, for Compose and for the scripts of the host', async () => {
    const host = await startRunningHost('app', {
      [`${paths.role('app')}/DOMAIN`]: '93.184.215.14',
      [`${paths.role('app')}/ACME_EMAIL`]: 'you@example.com',
    })
    expect(envLines(host)).toEqual(
      expect.arrayContaining([
        'DOMAIN=93.184.215.14',
        'ACME_EMAIL=you@example.com',
        'COMPOSE_FILE=docker-compose.yml:docker-compose.aws.yml:docker-compose.https.yml',
      ]),
    )
    expect(host.read('run/waggle/host')).toContain('DOMAIN=93.184.215.14\n')
  })

  test.skipIf(!hasCompose)(
    'of the services of the project are in .env.project, which tasks and API get and nothing else',
    async () => {
      const host = await startRunningHost('app', {
        [`${paths.app}/project/PAYMENTS_KEY`]: 'a key with $ and #',
        [`${paths.app}/project/REGION`]: 'south',
        [`${paths.role('app')}/project/REGION`]: 'north',
      })
      const release = join(host.root, 'opt/waggle/current')
      await expectSuccess(host.run(BOOTSTRAP, 'up'))
      expect(readFileSync(join(release, '.env.project'), 'utf8')).toBe(
        "PAYMENTS_KEY='a key with $ and #'\nREGION=north\n",
      )
      expect(envLines(host).join()).not.toMatch(/PAYMENTS_KEY|,REGION=/)
      expect(host.read('run/waggle/host')).not.toContain('PAYMENTS_KEY')
      const { services } = composeIn(release)
      for (const role of ['api', 'worker', 'migrate'])
        expect(services[role].environment, role).toMatchObject({
          PAYMENTS_KEY: 'a key with $$ and #',
          REGION: 'north',
        })
      for (const role of ['nginx', 'redis', 'certificates'])
        expect(services[role]?.environment ?? {}, role).not.toHaveProperty('PAYMENTS_KEY')
    },
  )

  test('of a worker contain no API key', async () => {
    const host = await startRunningHost('worker')
    expect(envLines(host).join()).not.toMatch(/API_KEY|wgl_/)
    expect(host.read('run/waggle/host')).toBe('')
  })

  test('of a host with only Redis are read one by one, and contain no secret but the password of Redis', async () => {
    const host = await startRunningHost('redis', { [`${paths.app}/SMTP_URL`]: 'smtps://user:secret@mail' })
    await expectSuccess(host.run(RENDER, FIRST))
    expect(host.calls().join()).not.toContain(`--path ${paths.app} `)
    // The role may read exactly these.
    expect(readFileSync(RENDER, 'utf8')).toContain(`{${REDIS_HOST_PARAMETERS.join(',')}}`)
    expect(envLines(host)).toEqual([
      'AWS_REGION=eu-central-1',
      'BACKEND_LOG_GROUP=backend-logs',
      'COMPOSE_FILE=docker-compose.yml:docker-compose.aws.yml',
      'COMPOSE_PROFILES=redis',
      'DATABASE_URL=unused',
      `ECR_REGISTRY=${VALUES.ECR_REGISTRY}`,
      'PRIVATE_ADDRESS=10.30.0.5',
      'REDIS_PASSWORD=of/redis',
      'REDIS_URL=unused',
      `WAGGLE_HOST=redis-1/${INSTANCE}`,
      `WAGGLE_TAG=${FIRST}`,
      'WORKER_LOG_GROUP=worker-logs',
    ])
  })

  test.skipIf(!hasCompose)(
    'of a host with further kinds of workers include a service for each kind, which Compose accepts',
    async () => {
      const kinds = { 'worker-cpu': { environment: { WORKER_QUEUES: 'cpu' }, mem_limit: '512m' } }
      const host = startHost('app', {
        [`${paths.role('app')}/WORKER_KINDS`]: JSON.stringify(kinds),
      })
      const release = host.pretendToRun(FIRST)
      await expectSuccess(host.run(BOOTSTRAP, 'up'))
      expect(envLines(host).join()).not.toContain('WORKER_KINDS')
      expect(envLines(host)).toContain(
        'COMPOSE_FILE=docker-compose.yml:docker-compose.aws.yml:workers.json:workers.aws.json',
      )
      const { services } = composeIn(release)
      expect(Object.keys(services)).toContain('worker-cpu')
      expect(services['worker-cpu'].environment).toEqual({
        ...services.worker.environment,
        WORKER_QUEUES: 'cpu',
      })
      for (const key of ['image', 'logging', 'command', 'stop_grace_period', 'networks'])
        expect(services['worker-cpu'][key], key).toEqual(services.worker[key])
      expect(services['worker-cpu'].mem_limit).toBe('536870912')
    },
  )

  test.each([
    ['a quote', "it's"],
    ['a line break', 'one\ntwo'],
    ['a backslash', 'a\\b'],
  ])('are rejected with %s in a value, and the rendered settings stay unchanged', async (_, value) => {
    const host = await startRunningHost('worker')
    const before = host.read('run/waggle/env')
    host.fake(
      'parameters.json',
      JSON.stringify(parametersOf('worker', { [`${paths.app}/MAIL_FROM`]: value })),
    )
    const { code, output } = await host.run(RENDER, FIRST)
    expect(code).not.toBe(0)
    expect(output).toContain('MAIL_FROM')
    expect(output).not.toContain(value)
    expect(host.read('run/waggle/env')).toBe(before)
  })

  test('are rejected with the name of a missing parameter', async () => {
    const host = await startRunningHost('worker')
    const { [`${paths.app}/REDIS_PASSWORD`]: _, ...others } = parametersOf('worker')
    host.fake('parameters.json', JSON.stringify(others))
    const { code, output } = await host.run(RENDER, FIRST)
    expect(code).not.toBe(0)
    expect(output).toContain('REDIS_PASSWORD is missing below /waggle/prod')
  })

  test('stay unchanged while Parameter Store cannot be reached', async () => {
    const host = await startRunningHost('worker')
    const before = host.read('run/waggle/env')
    host.fake('aws-is-away')
    expect((await host.run(BOOTSTRAP, 'up')).code).not.toBe(0)
    expect(host.read('run/waggle/env')).toBe(before)
    expect(host.calls().some((call) => call.includes(' up '))).toBe(false)
  })
})

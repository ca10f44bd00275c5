// host/: scripts run as they are, against fakes of AWS, Docker and what would change the machine.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { APP_PARAMETERS, METRICS, namesOf, PROFILES, type Role, SECRETS } from '../src/names.ts'
import { createFakeHost, type FakeHost, HOST_SCRIPTS, INSTANCE } from './support/fake-host.ts'

const BOOTSTRAP = join(HOST_SCRIPTS, 'bootstrap.sh')
const RENDER = join(HOST_SCRIPTS, 'render-env.sh')
const [FIRST, SECOND] = ['1111111', '2222222'] as const
const { paths } = namesOf('prod')

const VALUES: Record<string, string> = {
  AWS_REGION: 'eu-central-1',
  ECR_REGISTRY: '123456789012.dkr.ecr.eu-central-1.amazonaws.com',
  DATABASE_HOST: 'waggle-prod.abc.eu-central-1.rds.amazonaws.com',
  REDIS_SCHEME: 'redis',
  REDIS_HOST: 'redis.waggle.internal',
  BACKEND_LOG_GROUP: 'backend-logs',
  WORKER_LOG_GROUP: 'worker-logs',
  DATABASE_PASSWORD: 'of-the-database',
  REDIS_PASSWORD: 'of/redis',
  WEBHOOK_SECRET: 'whsec_AAAA',
  API_KEYS: 'operator:submit+read:00ff,metrics:read:ff00',
  METRICS_API_KEY: 'wgl_metrics',
  SMOKE_API_KEY: 'wgl_smoke',
  MASTER_SECRET_ARN: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1',
}

/** All that Terraform and scripts/init-secrets put there for a host of a role. */
function parametersOf(role: Role, more: Record<string, string> = {}): Record<string, string> {
  const runsApi = role === 'app' || role === 'api'
  const pairs = [
    ...[...APP_PARAMETERS, ...SECRETS.app].map((name) => [`${paths.app}/${name}`, VALUES[name]]),
    ...(runsApi ? SECRETS.api : []).map((name) => [`${paths.role(role)}/${name}`, VALUES[name]]),
    [`${paths.role(role)}/COMPOSE_PROFILES`, PROFILES[role].join(',')],
    [`${paths.role(role)}/COMPOSE_FILE`, 'docker-compose.yml:docker-compose.aws.yml'],
    ...(runsApi ? [[`${paths.role(role)}/MASTER_SECRET_ARN`, VALUES.MASTER_SECRET_ARN]] : []),
  ]
  return { ...Object.fromEntries(pairs.filter(([, value]) => value !== undefined)), ...more }
}

let host: FakeHost
afterEach(() => host.remove())

function startHost(role: Role, more: Record<string, string> = {}): FakeHost {
  host = createFakeHost(parametersOf(role, more), { environment: 'prod', role, name: `${role}-1` })
  for (const tag of [FIRST, SECOND]) host.addImages(tag)
  return host
}

async function succeeds(run: ReturnType<FakeHost['run']>): Promise<void> {
  // Shows what it said where it does not.
  expect(await run).toEqual({ code: 0, output: expect.any(String) })
}

/** A host on which the first release runs, with its settings as they were rendered then. */
async function startRunningHost(role: Role, more: Record<string, string> = {}): Promise<void> {
  startHost(role, more)
  host.pretendToRun(FIRST)
  await succeeds(host.run(RENDER, FIRST))
  host.calls()
}

const envLines = () => host.read('run/waggle/env').trim().split('\n')
const currentTag = () => readlinkSync(join(host.root, 'opt/waggle/current'))

test('every script is valid Bash', () => {
  startHost('worker')
  const scripts = readdirSync(HOST_SCRIPTS).filter((name) => name.endsWith('.sh'))
  expect(scripts.length).toBeGreaterThan(3)
  for (const name of scripts) {
    const { status, stderr } = spawnSync('bash', ['-n', join(HOST_SCRIPTS, name)], { encoding: 'utf8' })
    expect({ name, status, stderr }).toEqual({ name, status: 0, stderr: '' })
    expect(statSync(join(HOST_SCRIPTS, name)).mode & 0o111, name).not.toBe(0)
  }
})

test('user data holds no value: neither account, region, password nor environment', () => {
  startHost('worker')
  const text = spawnSync('cat', [BOOTSTRAP], { encoding: 'utf8' }).stdout
  expect(text).not.toMatch(/\d{12}|eu-central|us-east|AKIA|password=|\bprod\b/)
})

describe('at its first boot a host', () => {
  test('learns who it is, installs what it needs, and waits for the first rollout', async () => {
    startHost('worker')
    const { code, output } = await host.run(BOOTSTRAP)
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('no release yet') })
    expect(host.read('etc/waggle/identity')).toBe(
      `ENVIRONMENT=prod\nROLE=worker\nHOST_NAME=worker-1\nINSTANCE_ID=${INSTANCE}\nPRIVATE_ADDRESS=10.30.0.5\nAWS_DEFAULT_REGION=eu-central-1\n`,
    )
    expect(JSON.parse(host.read('root/.docker/config.json'))).toEqual({
      credHelpers: { [VALUES.ECR_REGISTRY ?? '']: 'ecr-login' },
    })
    expect(JSON.parse(host.read('etc/docker/daemon.json'))).toMatchObject({ 'live-restore': true })
    const calls = host.calls()
    expect(calls.filter((call) => call.startsWith('apt-get')).join()).toContain(
      'docker.io docker-compose-v2 amazon-ecr',
    )
    expect(calls.filter((call) => /^(docker|mount|mkfs)/.test(call))).toEqual([])
    expect(existsSync(join(host.root, 'usr/local/sbin/waggle-host'))).toBe(true)
    expect(JSON.parse(host.read('../fakes/log-events.json'))).toMatchObject([
      { message: 'Preparing this host' },
      { message: 'a line with "quotes"' },
    ])
  })

  test('starts the current release, and says so', async () => {
    startHost('worker', { [paths.releaseCurrent]: FIRST })
    await succeeds(host.run(BOOTSTRAP))
    expect(currentTag()).toBe(`releases/${FIRST}`)
    expect(envLines()).toContain(`WAGGLE_TAG=${FIRST}`)
    expect(readdirSync(join(host.root, 'etc/systemd/system'))).toContain('waggle.service')
    const calls = host.calls()
    expect(calls).toContain(`docker pull -q ${VALUES.ECR_REGISTRY}/waggle-web:${FIRST}`)
    expect(calls.find((call) => call.includes('compose') && call.includes(' up '))).toContain('--wait')
    expect(calls).toContain('systemctl enable -q --now waggle-metrics.timer waggle-prune.timer')
    expect(calls.at(-1)?.startsWith('aws logs')).toBe(true)
    expect(calls.find((call) => call.includes('put-parameter'))).toContain(
      `--name ${paths.ready}/${INSTANCE} --value ${FIRST}`,
    )
  })

  test('that keeps Redis puts a file system onto a blank volume, and onto no other', async () => {
    startHost('redis')
    host.fake('blank-disk', '/dev/nvme1n1')
    await succeeds(host.run(BOOTSTRAP))
    const calls = host.calls()
    const made = calls.indexOf('mkfs.xfs -q -L waggle-data /dev/nvme1n1')
    const mounted = calls.findIndex((call) => call.startsWith('mount '))
    const docker = calls.findIndex((call) => call.includes('docker.io'))
    expect(made).toBeGreaterThan(-1)
    expect(mounted).toBeGreaterThan(made)
    expect(docker).toBeGreaterThan(mounted)
    expect(host.read('etc/fstab')).toContain('LABEL=waggle-data')
  })

  test('that is given the volume of an older one mounts it as it is', async () => {
    startHost('redis')
    host.fake('labelled')
    await succeeds(host.run(BOOTSTRAP))
    const calls = host.calls()
    expect(calls.filter((call) => call.startsWith('mkfs'))).toEqual([])
    expect(calls.some((call) => call.startsWith('mount '))).toBe(true)
  })

  test.each(['', 'worker; reboot'])('with %j for a tag that it needs says which', async (role) => {
    startHost('worker')
    host.fake('tags/Role', role)
    const { code, output } = await host.run(BOOTSTRAP)
    expect(code).toBe(1)
    expect(output).toContain(`does not say who it is: ROLE=${role}`)
    expect(existsSync(join(host.root, 'etc/waggle/identity'))).toBe(false)
  })
})

describe('the settings of a host', () => {
  test('are rendered into memory, for root only, with the addresses put together', async () => {
    await startRunningHost('app', {
      [`${paths.app}/MAIL_FROM`]: 'Waggle $HOME <waggle@example.com> # no comment',
    })
    expect(envLines()).toEqual([
      `API_KEYS=${VALUES.API_KEYS}`,
      'AWS_REGION=eu-central-1',
      'BACKEND_LOG_GROUP=backend-logs',
      'COMPOSE_FILE=docker-compose.yml:docker-compose.aws.yml',
      'COMPOSE_PROFILES=edge,api,worker,redis',
      `DATABASE_URL=postgres://waggle_app:of-the-database@${VALUES.DATABASE_HOST}:5432/waggle`,
      `ECR_REGISTRY=${VALUES.ECR_REGISTRY}`,
      // Compose and the shell read nothing into what stands between single quotes.
      "MAIL_FROM='Waggle $HOME <waggle@example.com> # no comment'",
      'PRIVATE_ADDRESS=10.30.0.5',
      'REDIS_PASSWORD=of/redis',
      "REDIS_URL='redis://default:of%2Fredis@redis.waggle.internal:6379'",
      `WAGGLE_HOST=app-1/${INSTANCE}`,
      `WAGGLE_TAG=${FIRST}`,
      'WEBHOOK_SECRET=whsec_AAAA',
      'WORKER_LOG_GROUP=worker-logs',
    ])
    for (const name of ['env', 'host'])
      expect(statSync(join(host.root, 'run/waggle', name)).mode & 0o777, name).toBe(0o600)
    expect(statSync(join(host.root, 'run/waggle')).mode & 0o777).toBe(0o700)
    expect(readlinkSync(join(host.root, 'opt/waggle/current/.env'))).toBe(join(host.root, 'run/waggle/env'))
  })

  test('of a worker hold no key of the API', async () => {
    await startRunningHost('worker')
    expect(envLines().join()).not.toMatch(/API_KEY|wgl_/)
    expect(host.read('run/waggle/host')).toBe('')
  })

  test.each([
    ['a quote', "it's"],
    ['a line break', 'one\ntwo'],
    ['a backslash', 'a\\b'],
  ])('with %s in them are refused, and what was there stays', async (_, value) => {
    await startRunningHost('worker')
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

  test('that are missing are named', async () => {
    await startRunningHost('worker')
    const { [`${paths.app}/REDIS_PASSWORD`]: _, ...others } = parametersOf('worker')
    host.fake('parameters.json', JSON.stringify(others))
    const { code, output } = await host.run(RENDER, FIRST)
    expect(code).not.toBe(0)
    expect(output).toContain('REDIS_PASSWORD is missing below /waggle/prod')
  })

  test('stay what they were while Parameter Store cannot be reached', async () => {
    await startRunningHost('worker')
    const before = host.read('run/waggle/env')
    host.fake('aws-is-away')
    expect((await host.run(BOOTSTRAP, 'up')).code).not.toBe(0)
    expect(host.read('run/waggle/env')).toBe(before)
    expect(host.calls().some((call) => call.includes(' up '))).toBe(false)
  })
})

describe('a rollout on a host', () => {
  test('takes the scripts of the new version, and keeps those of the old one', async () => {
    await startRunningHost('worker')
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect({ code, output }).toMatchObject({
      code: 0,
      output: expect.stringContaining(`worker-1 runs ${SECOND}`),
    })
    expect(currentTag()).toBe(`releases/${SECOND}`)
    expect(readdirSync(join(host.root, 'opt/waggle/releases')).sort()).toEqual([FIRST, SECOND])
    const calls = host.calls()
    expect(calls).toContain(`rollout.sh ${SECOND} over ${FIRST}`)
    expect(calls.at(-1)).toContain(`--name ${paths.ready}/${INSTANCE} --value ${SECOND}`)
  })

  test('that fails leaves the old version current, and tells nobody of the new one', async () => {
    await startRunningHost('worker')
    host.addImages(SECOND, 'echo "The new worker does not stay up" >&2; exit 1')
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect(code).toBe(1)
    expect(output).toContain('does not stay up')
    expect(currentTag()).toBe(`releases/${FIRST}`)
    expect(host.calls().filter((call) => /put-parameter|systemctl/.test(call))).toEqual([])
  })

  test('to images that are not there changes nothing', async () => {
    await startRunningHost('worker')
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', '3333333')
    expect(code).toBe(1)
    expect(output).toContain(`There is no image ${VALUES.ECR_REGISTRY}/waggle-web:3333333`)
    expect(currentTag()).toBe(`releases/${FIRST}`)
  })

  test.each(['', 'latest', '1111111; reboot', '$(reboot)', '123456'])('to %j is refused', async (tag) => {
    startHost('worker')
    host.pretendToRun(FIRST)
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', tag)
    expect(code).toBe(1)
    expect(output).toContain('is not a commit')
    expect(host.calls()).toEqual([])
  })

  test('that finds another one under way says so', async () => {
    await startRunningHost('worker')
    host.addImages(SECOND, `bash ${BOOTSTRAP} rollout ${FIRST}`)
    const { code, output } = await host.run(BOOTSTRAP, 'rollout', SECOND)
    expect(code).toBe(1)
    expect(output).toContain('Another rollout is under way')
  })

  test('to a first release that does not start leaves the host as it was, to be tried again', async () => {
    startHost('worker')
    await succeeds(host.run(BOOTSTRAP))
    host.fake('does-not-start')
    expect(await host.run(BOOTSTRAP, 'rollout', FIRST)).toMatchObject({ code: 1 })
    expect(existsSync(join(host.root, 'opt/waggle/current'))).toBe(false)
  })
})

describe('the role in the database', () => {
  test('is left alone where it gets in: the master password is not even asked for', async () => {
    await startRunningHost('app')
    await succeeds(host.run(BOOTSTRAP, 'up'))
    const calls = host.calls()
    expect(calls.some((call) => call.includes('--entrypoint node migrate'))).toBe(true)
    expect(calls.some((call) => call.includes('secretsmanager'))).toBe(false)
  })

  test('is made with the master password where it does not, which no list of processes shows', async () => {
    await startRunningHost('app')
    host.fake('role-status', '3')
    host.fake('master-secret.json', JSON.stringify({ username: 'waggle_master', password: 'x"y$z' }))
    await succeeds(host.run(BOOTSTRAP, 'up'))
    const calls = host.calls()
    expect(calls).toContain('as waggle_master with 5 characters')
    expect(calls.join()).not.toContain('x"y$z')
    expect(calls.join()).toContain(`--secret-id ${VALUES.MASTER_SECRET_ARN}`)
  })

  test('is no business of a host with workers only', async () => {
    await startRunningHost('worker')
    await succeeds(host.run(BOOTSTRAP, 'up'))
    expect(host.calls().some((call) => call.includes('migrate'))).toBe(false)
  })
})

describe('once a minute', () => {
  const publish = () => host.run(join(HOST_SCRIPTS, 'publish-metrics.sh'))
  const published = () => {
    const metrics = JSON.parse(host.read('../fakes/metrics.json')) as {
      MetricName: string
      Value: number
      Dimensions: { Name: string; Value: string }[]
    }[]
    return Object.fromEntries(
      metrics.map(({ MetricName, Value, Dimensions }) => [
        MetricName,
        { Value, Dimensions: Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).join() },
      ]),
    )
  }
  const own = 'Environment=prod,Host=app-1'

  test('the host of the API publishes the queue, its own fullness, and that its worker is healthy', async () => {
    await startRunningHost('app')
    host.fake('statistics.json', '{"waiting": 7, "running": 3, "oldest_waiting_seconds": 1.5}')
    host.fake('healthy-workers', 'abc\n')
    expect(await publish()).toEqual({ code: 0, output: '' })
    expect(host.calls().find((call) => call.startsWith('aws cloudwatch'))).toContain(
      `--namespace ${METRICS.namespace}`,
    )
    expect(published()).toEqual({
      [METRICS.diskUsed]: { Value: expect.any(Number), Dimensions: own },
      [METRICS.memoryUsed]: { Value: expect.any(Number), Dimensions: own },
      [METRICS.workerHeartbeat]: { Value: 1, Dimensions: 'Environment=prod' },
      [METRICS.queueDepth]: { Value: 7, Dimensions: 'Environment=prod' },
      [METRICS.running]: { Value: 3, Dimensions: 'Environment=prod' },
      [METRICS.oldestWaiting]: { Value: 1.5, Dimensions: 'Environment=prod' },
    })
  })

  test('nothing waits: the oldest waits for 0 seconds', async () => {
    await startRunningHost('app')
    host.fake('statistics.json', '{"waiting": 0, "running": 0, "oldest_waiting_seconds": null}')
    expect(await publish()).toMatchObject({ code: 0 })
    expect(published()).toMatchObject({
      [METRICS.oldestWaiting]: { Value: 0 },
      [METRICS.queueDepth]: { Value: 0 },
    })
  })

  test('an API that does not answer and a worker that is not healthy leave gaps, and the host still speaks', async () => {
    await startRunningHost('app')
    expect(await publish()).toMatchObject({ code: 1 })
    expect(Object.keys(published())).toEqual([METRICS.diskUsed, METRICS.memoryUsed])
  })

  test('the key of the API is in no list of processes', async () => {
    await startRunningHost('app')
    host.fake('statistics.json', '{"waiting": 0, "running": 0, "oldest_waiting_seconds": null}')
    await publish()
    expect(host.calls().join()).not.toContain('wgl_metrics')
  })
})

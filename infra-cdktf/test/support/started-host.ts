// Fake hosts in the state that a test needs, with all parameters that a host of their role has.
import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { APP_PARAMETERS, namesOf, profilesOf, type Role, SECRETS } from '../../src/names.ts'
import { createFakeHost, type FakeHost, HOST_SCRIPTS, VOLUME } from './fake-host.ts'

export const BOOTSTRAP = join(HOST_SCRIPTS, 'bootstrap.sh')
export const RENDER = join(HOST_SCRIPTS, 'render-env.sh')
export const [FIRST, SECOND] = ['1111111', '2222222'] as const
export const { paths } = namesOf('prod')

export const VALUES: Record<string, string> = {
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

/** Returns the parameters that Terraform and scripts/secrets.ts create for a role, by full name. */
export function parametersOf(role: Role, more: Record<string, string> = {}): Record<string, string> {
  const runsApi = role === 'app' || role === 'api'
  const pairs = [
    ...[...APP_PARAMETERS, ...SECRETS.app].map((name) => [`${paths.app}/${name}`, VALUES[name]]),
    ...(runsApi ? SECRETS.api : []).map((name) => [`${paths.role(role)}/${name}`, VALUES[name]]),
    [`${paths.role(role)}/COMPOSE_PROFILES`, profilesOf(role).join(',')],
    [`${paths.role(role)}/COMPOSE_FILE`, 'docker-compose.yml:docker-compose.aws.yml'],
    ...(profilesOf(role).includes('redis') ? [[`${paths.role(role)}/DATA_VOLUME`, VOLUME]] : []),
    ...(runsApi ? [[`${paths.role(role)}/MASTER_SECRET_ARN`, VALUES.MASTER_SECRET_ARN]] : []),
  ]
  return { ...Object.fromEntries(pairs.filter(([, value]) => value !== undefined)), ...more }
}

/** Creates a host before its first boot, with images of both releases. It is removed after the test. */
export function startHost(role: Role, more: Record<string, string> = {}, name = `${role}-1`): FakeHost {
  const host = createFakeHost(parametersOf(role, more), { environment: 'prod', role, name })
  onTestFinished(() => host.remove())
  for (const tag of [FIRST, SECOND]) host.addImages(tag)
  return host
}

/** Creates a host on which the first release runs, with rendered settings. */
export async function startRunningHost(role: Role, more: Record<string, string> = {}): Promise<FakeHost> {
  const host = startHost(role, more)
  host.pretendToRun(FIRST)
  await expectSuccess(host.run(RENDER, FIRST))
  host.calls()
  return host
}

/** Expects exit code 0. The failure message shows the output of the script. */
export async function expectSuccess(run: ReturnType<FakeHost['run']>): Promise<void> {
  expect(await run).toEqual({ code: 0, output: expect.any(String) })
}

export const envLines = (host: FakeHost) => host.read('run/waggle/env').trim().split('\n')
export const currentTag = (host: FakeHost) => readlinkSync(join(host.root, 'opt/waggle/current'))

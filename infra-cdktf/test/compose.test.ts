// The compose files that hosts run, against the names that Terraform and the hosts' scripts go by.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import {
  APP_PARAMETERS,
  HEALTH_PATH,
  namesOf,
  PROFILES,
  REDIS_NAME,
  REPOSITORIES,
  ROLE_PARAMETERS,
} from '../src/names.ts'
import { HOST_SCRIPTS } from './support/fake-host.ts'

const ROOT = new URL('../../', import.meta.url)
const textOf = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')

const service = z.object({
  image: z.string().optional(),
  profiles: z.array(z.string()).optional(),
  ports: z.array(z.string()).optional(),
  networks: z
    .union([z.array(z.string()), z.record(z.string(), z.object({ aliases: z.array(z.string()) }))])
    .optional(),
  logging: z.object({ options: z.record(z.string(), z.string()) }).optional(),
})
// `!reset`, which takes something away, is Compose's own.
const composeOf = (path: string) =>
  z
    .object({ services: z.record(z.string(), service) })
    .parse(parse(textOf(path), { merge: true, logLevel: 'silent' })).services

const local = composeOf('docker-compose.yml')
const aws = composeOf('docker-compose.aws.yml')
const hosts = composeOf('docker-compose.hosts.yml')

test('every role has its services, and no service is without a role, but for Postgres, which is RDS', () => {
  const profiles = new Set(Object.values(local).flatMap(({ profiles = [] }) => profiles))
  expect(new Set([...Object.values(PROFILES).flat(), 'postgres'])).toEqual(profiles)
})

test('Redis goes by one name everywhere, and all services are in one network', () => {
  for (const [name, { networks }] of Object.entries(local)) expect(networks, name).toEqual(['waggle'])
  expect(aws.redis?.networks).toEqual({ waggle: { aliases: [REDIS_NAME] } })
})

test('images come from the repositories that are made, by the tag that is rolled out', () => {
  const images = ['nginx', 'api', 'worker', 'migrate'].map((name) => aws[name]?.image ?? '')
  expect(new Set(images.map((image) => image.replace(/:\?[^}]*/g, '')))).toEqual(
    new Set(Object.values(REPOSITORIES).map((name) => `\${ECR_REGISTRY}/${name}:\${WAGGLE_TAG}`)),
  )
  // Read by bootstrap.sh, which nothing but the tags of its instance tells where it is.
  expect(readFileSync(`${HOST_SCRIPTS}/bootstrap.sh`, 'utf8')).toContain(`/${REPOSITORIES.web}:$1`)
})

test('lines go to the log groups that are made', () => {
  const { backend, worker } = namesOf('prod').logs
  const groups = Object.fromEntries(
    Object.entries(aws).flatMap(([name, { logging }]) =>
      logging ? [[name, logging.options['awslogs-group']]] : [],
    ),
  )
  expect(groups).toEqual({
    nginx: `\${BACKEND_LOG_GROUP:-${backend}}`,
    api: `\${BACKEND_LOG_GROUP:-${backend}}`,
    migrate: `\${BACKEND_LOG_GROUP:-${backend}}`,
    worker: `\${WORKER_LOG_GROUP:-${worker}}`,
  })
})

test('nothing listens on a host but nginx, and Redis at the private address where other hosts need it', () => {
  const published = [local, aws].flatMap((services) =>
    Object.entries(services).flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`)),
  )
  expect(published).toEqual([`nginx \${WAGGLE_PORT:-80}:8080`])
  expect(hosts.redis?.ports?.map((port) => port.replace(/:\?[^}]*/, ''))).toEqual([
    `\${PRIVATE_ADDRESS}:6379:6379`,
  ])
})

test('every setting that the compose files demand is rendered', () => {
  const demanded = ['docker-compose.aws.yml', 'docker-compose.hosts.yml']
    .flatMap((path) => [...textOf(path).matchAll(/(?<!\$)\$\{(\w+):\?/g)].map(([, name = '']) => name))
    .sort()
  expect(demanded.length).toBeGreaterThan(3)
  const program = readFileSync(`${HOST_SCRIPTS}/render-env.jq`, 'utf8')
  const rendered = [...program.matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name = '']) => name)
  const known: string[] = [...rendered, ...APP_PARAMETERS, ...ROLE_PARAMETERS]
  expect(demanded.filter((name) => !known.includes(name))).toEqual([])
})

test('images and the pipeline ask for health by the path by which everybody does', () => {
  expect(textOf('docker/Dockerfile')).toContain(`"health-check", "${HEALTH_PATH}/live"`)
  for (const curl of ['curl -fsS --retry 30', 'curl -fsSI'])
    expect(textOf('.github/workflows/ci.yml')).toMatch(new RegExp(`${curl}[^\n]* "\\$url${HEALTH_PATH}"`))
})

test('hosts bring the compose files and scripts of the version that they run', () => {
  const dockerfile = textOf('docker/Dockerfile')
  for (const line of [
    'COPY docker-compose*.yml /usr/share/waggle/host/',
    'COPY docker/rollout.sh /usr/share/waggle/host/docker/',
    'COPY infra-cdktf/host /usr/share/waggle/host/host',
  ])
    expect(dockerfile).toContain(line)
  const sent = textOf('.dockerignore').split('\n')
  for (const line of ['!docker-compose*.yml', '!infra-cdktf/host']) expect(sent).toContain(line)
})

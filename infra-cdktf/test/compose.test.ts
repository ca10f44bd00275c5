// The compose files that hosts run match the names that Terraform and the host scripts use.
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
// The YAML parser does not know the tag `!reset` of Compose, which removes a value, and would log a warning.
const composeOf = (path: string) =>
  z
    .object({ services: z.record(z.string(), service) })
    .parse(parse(textOf(path), { merge: true, logLevel: 'silent' })).services

const local = composeOf('docker-compose.yml')
const aws = composeOf('docker-compose.aws.yml')
const hosts = composeOf('docker-compose.hosts.yml')
const https = composeOf('docker-compose.https.yml')

test('every service belongs to a role, except Postgres, which RDS replaces, the optional worker-heavy, and HTTPS', () => {
  const profiles = new Set(Object.values(local).flatMap(({ profiles = [] }) => profiles))
  expect(new Set([...Object.values(PROFILES).flat(), 'postgres', 'worker-heavy', 'https'])).toEqual(profiles)
})

test('the container of the certificates belongs to the role edge, with docker-compose.https.yml only', () => {
  expect(local.certificates?.profiles).toEqual(['https'])
  expect(https.certificates?.profiles).toEqual(['edge'])
})

test('Redis has one name everywhere, and all services are in one network', () => {
  for (const [name, { networks }] of Object.entries(local)) expect(networks, name).toEqual(['waggle'])
  expect(aws.redis?.networks).toEqual({ waggle: { aliases: [REDIS_NAME] } })
})

test('images come from the ECR repositories of the stack, with the tag of the rollout', () => {
  const images = ['nginx', 'api', 'worker', 'migrate', 'certificates'].map((name) => aws[name]?.image ?? '')
  expect(new Set(images.map((image) => image.replace(/:\?[^}]*/g, '')))).toEqual(
    new Set(Object.values(REPOSITORIES).map((name) => `\${ECR_REGISTRY}/${name}:\${WAGGLE_TAG}`)),
  )
  // bootstrap.sh contains the name, because it runs before the settings of the host are rendered.
  expect(readFileSync(`${HOST_SCRIPTS}/bootstrap.sh`, 'utf8')).toContain(`/${REPOSITORIES.web}:$1`)
})

test('logs go to the log groups of the stack', () => {
  const { backend, worker } = namesOf('prod').logs
  const groups = Object.fromEntries(
    Object.entries(aws).flatMap(([name, { logging }]) =>
      logging ? [[name, logging.options['awslogs-group']]] : [],
    ),
  )
  expect(groups).toEqual({
    nginx: `\${BACKEND_LOG_GROUP:-${backend}}`,
    api: `\${BACKEND_LOG_GROUP:-${backend}}`,
    certificates: `\${BACKEND_LOG_GROUP:-${backend}}`,
    migrate: `\${BACKEND_LOG_GROUP:-${backend}}`,
    worker: `\${WORKER_LOG_GROUP:-${worker}}`,
    'worker-heavy': `\${WORKER_LOG_GROUP:-${worker}}`,
  })
})

test('only nginx listens on a host, and Redis at the private address with several hosts', () => {
  const published = [local, aws, https].flatMap((services) =>
    Object.entries(services).flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`)),
  )
  expect(published).toEqual([`nginx \${WAGGLE_PORT:-80}:8080`, `nginx \${WAGGLE_HTTPS_PORT:-443}:8443`])
  expect(hosts.redis?.ports?.map((port) => port.replace(/:\?[^}]*/, ''))).toEqual([
    `\${PRIVATE_ADDRESS}:6379:6379`,
  ])
})

test('every setting that the compose files require is rendered', () => {
  const required = ['docker-compose.aws.yml', 'docker-compose.hosts.yml', 'docker-compose.https.yml']
    .flatMap((path) => [...textOf(path).matchAll(/(?<!\$)\$\{(\w+):\?/g)].map(([, name = '']) => name))
    .sort()
  expect(required.length).toBeGreaterThan(3)
  const program = readFileSync(`${HOST_SCRIPTS}/render-env.jq`, 'utf8')
  const rendered = [...program.matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name = '']) => name)
  const known: string[] = [...rendered, ...APP_PARAMETERS, ...ROLE_PARAMETERS]
  expect(required.filter((name) => !known.includes(name))).toEqual([])
})

test('images and the pipeline use the common health path', () => {
  expect(textOf('docker/Dockerfile')).toContain(`"health-check", "${HEALTH_PATH}/live"`)
  for (const curl of ['curl -fsS --retry 30', 'curl -fsSI'])
    expect(textOf('.github/workflows/ci.yml')).toMatch(new RegExp(`${curl}[^\n]* "\\$url${HEALTH_PATH}"`))
})

test('the web image contains the compose files and host scripts of its version', () => {
  const dockerfile = textOf('docker/Dockerfile')
  for (const line of [
    'COPY --from=package docker-compose*.yml /usr/share/waggle/host/',
    'COPY --from=package docker/rollout.sh docker/init-env.sh docker/backup.sh docker/restore.sh /usr/share/waggle/host/docker/',
    'COPY --from=package infra-cdktf/host /usr/share/waggle/host/host',
  ])
    expect(dockerfile).toContain(line)
  const ignoreLines = textOf('.dockerignore').split('\n')
  for (const line of ['!docker-compose*.yml', '!infra-cdktf/host']) expect(ignoreLines).toContain(line)
})

// Several kinds of workers: on hosts of their own, or as services of their own on a single host.
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { EnvironmentInput } from '../src/config/schema.ts'
import { namesOf, PROFILES } from '../src/names.ts'
import { findingsIn } from '../src/rules/rules.ts'
import { topologyOf } from '../src/topology.ts'
import { configOf, type Json, type Layout, synthesizeOne } from './support/layouts.ts'

const cpu = { count: 2, concurrency: 4, queues: ['cpu'], instanceType: 'c7g.large', memory: '2g' }
const io = { concurrency: 100, queues: ['mail', 'default'], isolatedProcesses: 2 }
const workersWith = (kinds: Json): Partial<EnvironmentInput> => ({
  workers: { count: 1, concurrency: 20, kinds },
})

/** Returns the settings that Terraform writes below a role, by name. */
function settingsOf(layout: Layout, kinds: Json, role: Parameters<typeof paths.role>[0]) {
  const { folder, environment } = synthesizeOne(configOf('prod', layout, workersWith(kinds)))
  rmSync(folder, { recursive: true })
  const path = `${paths.role(role)}/`
  return Object.fromEntries(
    Object.values<Json>(environment.resource.aws_ssm_parameter)
      .filter(({ name }) => name.startsWith(path))
      .map(({ name, value }) => [name.slice(path.length), value]),
  )
}
const { paths } = namesOf('prod')

describe('with several hosts', () => {
  test('each kind has a role and hosts of its own', () => {
    const { hosts, roles, workerRoles } = topologyOf(configOf('prod', 'multi', workersWith({ cpu, io })))
    expect(hosts.map(({ name, role, instanceType }) => `${name} ${role} ${instanceType}`)).toEqual([
      'api-1 api t4g.small',
      'worker-1 worker t4g.small',
      'worker-cpu-1 worker-cpu c7g.large',
      'worker-cpu-2 worker-cpu c7g.large',
      'worker-io-1 worker-io t4g.small',
      'redis redis t4g.micro',
    ])
    expect(workerRoles).toEqual(['worker', 'worker-cpu', 'worker-io'])
    expect(roles).toEqual(['api', 'worker', 'worker-cpu', 'worker-io', 'redis'])
  })

  test('each kind may connect to Redis and the database only', () => {
    const { connections } = topologyOf(configOf('prod', 'multi', workersWith({ cpu })))
    const ofKind = connections.filter(({ from, to }) => [from, to].includes('worker-cpu'))
    expect(ofKind.map(({ from, to, port }) => `${from} > ${to} ${port}`)).toEqual([
      'worker-cpu > redis 6379',
      'worker-cpu > database 5432',
    ])
  })

  test('a kind runs the service of the workers with its own settings', () => {
    expect(settingsOf('multi', { cpu, io }, 'worker-cpu')).toEqual({
      COMPOSE_PROFILES: 'worker',
      COMPOSE_FILE: 'docker-compose.yml:docker-compose.aws.yml',
      WORKER_CONCURRENCY: '4',
      WORKER_QUEUES: 'cpu',
      WORKER_MEMORY: '2g',
    })
    expect(settingsOf('multi', { cpu, io }, 'worker-io')).toMatchObject({
      WORKER_QUEUES: 'mail,default',
      ISOLATED_PROCESSES: '2',
    })
    expect(settingsOf('multi', { cpu, io }, 'worker')).not.toHaveProperty('WORKER_KINDS')
  })

  test('an alarm reports that no host of a kind has a healthy worker', () => {
    const { folder, environment } = synthesizeOne(configOf('prod', 'multi', workersWith({ cpu })))
    rmSync(folder, { recursive: true })
    expect(environment.resource.aws_cloudwatch_metric_alarm['alarm-workers-cpu']).toMatchObject({
      metric_name: 'WorkerHeartbeat',
      dimensions: { Environment: 'prod', Worker: 'worker-cpu' },
      threshold: 1,
      treat_missing_data: 'breaching',
    })
    expect(Object.keys(environment.resource.aws_cloudwatch_metric_alarm)).toContain('alarm-worker-cpu-2-disk')
  })
})

describe('with a single host', () => {
  const kinds = { cpu: { ...io, queues: ['cpu'], memory: '512m' }, io }

  test('the kinds are services beside the first worker', () => {
    const settings = settingsOf('single', kinds, 'app')
    expect(settings).toMatchObject({
      COMPOSE_PROFILES: PROFILES.app.join(','),
      COMPOSE_FILE: 'docker-compose.yml:docker-compose.aws.yml',
      WORKER_CONCURRENCY: '20',
    })
    expect(JSON.parse(settings.WORKER_KINDS)).toEqual({
      'worker-cpu': {
        environment: { WORKER_CONCURRENCY: '100', WORKER_QUEUES: 'cpu', ISOLATED_PROCESSES: '2' },
        mem_limit: '512m',
      },
      'worker-io': {
        environment: { WORKER_CONCURRENCY: '100', WORKER_QUEUES: 'mail,default', ISOLATED_PROCESSES: '2' },
      },
    })
    expect(topologyOf(configOf('prod', 'single', workersWith(kinds))).workerRoles).toEqual(['app'])
  })

  test('without kinds there is no setting', () => {
    const settings = settingsOf('single', {}, 'app')
    expect(settings).not.toHaveProperty('WORKER_KINDS')
  })
})

test.each<[Layout, Json]>([
  ['multi', { cpu, io }],
  ['single', { io }],
])('the layout %s with further kinds of workers meets all rules', (layout, kinds) => {
  const config = configOf('prod', layout, workersWith(kinds))
  const { folder, environment } = synthesizeOne(config)
  rmSync(folder, { recursive: true })
  expect(findingsIn(environment, config)).toEqual([])
})

test.each<[string, Layout, Json, string]>([
  ['named like a role', 'multi', { redis: io }, 'must not be the name of a role'],
  ['whose name ends with a digit', 'multi', { gpu2: io }, 'no digit at the end'],
  ['with an upper-case queue', 'multi', { cpu: { ...io, queues: ['Mail'] } }, 'must be a queue name'],
  ['without a queue', 'multi', { cpu: { ...io, queues: [] } }, 'workers.kinds.cpu.queues'],
  [
    'that names a queue twice',
    'multi',
    { cpu: { ...io, queues: ['a', 'a'] } },
    'must not name a queue twice',
  ],
  ['of another architecture', 'multi', { cpu: { ...cpu, instanceType: 'c7i.large' } }, 'hosts.architecture'],
  ['with several hosts on one host', 'single', { cpu: { ...io, count: 2 } }, 'must have count 1'],
])('a kind %s is rejected', (_, layout, kinds, message) => {
  expect(() => configOf('prod', layout, workersWith(kinds))).toThrow(message)
})

// scripts/status.ts against a fake of AWS and a fake of the public URL.
import { createServer, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { showStatus } from '../scripts/status.ts'
import type { Environment } from '../src/names.ts'
import { namesOf } from '../src/names.ts'
import { awsError, createFakeAws } from './support/fake-aws.ts'
import { configOf, type Layout } from './support/layouts.ts'

const [FIRST, SECOND] = ['1111111', '2222222'] as const
const NAMES = ['api-1', 'redis', 'worker-1', 'worker-2']

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function serve(status: number): Promise<string> {
  server = createServer((request, response) => {
    response.writeHead(request.url === '/health' ? status : 404).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen')
  return `http://127.0.0.1:${address.port}`
}

const database = (status: string) => ({
  DBInstances: [{ DBInstanceStatus: status, EngineVersion: '17.6', DBInstanceClass: 'db.t4g.micro' }],
})

/** Creates an environment without faults, in which all hosts run the first release. */
async function start(layout: Layout = 'multi', names = NAMES, environment: Environment = 'staging') {
  const fake = createFakeAws(environment, names)
  const { paths } = namesOf(environment)
  fake.parameters.set(paths.releaseCurrent, FIRST)
  for (const name of names) fake.parameters.set(`${paths.ready}/i-${name}`, FIRST)
  Object.assign(fake.operations, {
    'rds describe-db-instances': () => database('available'),
    'cloudwatch describe-alarms': () => ({ MetricAlarms: [{ AlarmName: 'x', StateValue: 'OK' }] }),
    'elasticache describe-replication-groups': () => ({ ReplicationGroups: [{ Status: 'available' }] }),
    'autoscaling describe-auto-scaling-groups': () => ({ AutoScalingGroups: [group(2)] }),
  })
  const url = await serve(200)
  let output = ''
  const show = (urlOf = () => url) =>
    showStatus({
      aws: fake.aws,
      config: configOf(environment, layout),
      urlOf,
      print: (line) => {
        output += `${line}\n`
      },
    })
  return { fake, paths, show, url, text: () => output }
}

const group = (inService: number) => ({
  MinSize: 2,
  MaxSize: 6,
  DesiredCapacity: 2,
  Instances: Array.from({ length: inService }, () => ({
    LifecycleState: 'InService',
    HealthStatus: 'Healthy',
  })),
})

test('an environment without faults is shown as a table', async () => {
  const { show, text, url } = await start()
  expect(await show()).toEqual([])
  expect(text()).toContain(`  current   ${FIRST}\n  previous  -\n`)
  expect(text()).toMatch(
    /\n {2}name {6}role {4}instance {4}public address {2}private address {2}agent {3}release\n/,
  )
  expect(text()).toMatch(
    /\n {2}worker-2 {2}worker {2}i-worker-2 {2}198\.51\.100\.7 {4}10\.0\.0\.7 {9}online {2}1111111\n/,
  )
  expect(text()).toContain(`${url}/health  200`)
  expect(text()).toMatch(/waggle-staging {2}available {2}17\.6/)
  expect(text()).not.toMatch(/Alarms|Auto scaling|Cache/)
  expect(text().trim().split('\n').at(-1)).toBe('staging has no fault')
})

test('faults of hosts are named: missing, unreachable, and with another release', async () => {
  const { fake, paths, show } = await start('multi', ['api-1', 'redis', 'worker-1'])
  fake.operations['ssm describe-instance-information'] = () => ({
    InstanceInformationList: [
      { InstanceId: 'i-api-1', PingStatus: 'Online' },
      { InstanceId: 'i-redis', PingStatus: 'ConnectionLost' },
      { InstanceId: 'i-worker-1', PingStatus: 'Online' },
    ],
  })
  fake.parameters.set(`${paths.ready}/i-worker-1`, SECOND)
  fake.parameters.delete(`${paths.ready}/i-api-1`)
  expect(await show()).toEqual([
    'worker-2: no instance is running',
    'redis (i-redis): Systems Manager cannot reach it',
    'api-1 (i-api-1): runs no release, not 1111111',
    'worker-1 (i-worker-1): runs 2222222, not 1111111',
  ])
})

test('an environment without a release, an address and a database has these faults', async () => {
  const { fake, paths, show } = await start()
  fake.parameters.delete(paths.releaseCurrent)
  fake.operations['rds describe-db-instances'] = () => {
    throw awsError('DBInstanceNotFound')
  }
  const urlOf = () => {
    throw new Error('No host of staging has a public address; set WAGGLE_URL')
  }
  expect(await show(urlOf)).toEqual([
    'There is no release yet',
    'No host of staging has a public address; set WAGGLE_URL',
    'waggle-staging: the database does not exist',
  ])
})

test('a URL that does not respond with 200 is a fault', async () => {
  const { show } = await start()
  const url = await serve(502)
  expect(await show(() => url)).toEqual([`${url}/health: expected 200, got 502`])
  expect((await show(() => 'http://127.0.0.1:1'))[0]).toMatch(
    /^http:\/\/127\.0\.0\.1:1\/health: expected 200, got /,
  )
})

test.each(['stopped', 'failed', 'storage-full', 'incompatible-parameters'])(
  'a database that is %s is a fault',
  async (status) => {
    const { fake, show } = await start()
    fake.operations['rds describe-db-instances'] = () => database(status)
    expect(await show()).toEqual([`waggle-staging: the database is ${status}`])
  },
)

test('alarms are faults in the state ALARM, and shown without data', async () => {
  const { fake, show, text } = await start()
  fake.operations['cloudwatch describe-alarms'] = () => ({
    MetricAlarms: [
      {
        AlarmName: 'waggle-staging-workers',
        StateValue: 'ALARM',
        AlarmDescription: 'No host has a healthy worker',
        StateUpdatedTimestamp: '2026-11-30T09:00:00+00:00',
      },
      {
        AlarmName: 'waggle-staging-api-1-cpu',
        StateValue: 'INSUFFICIENT_DATA',
        // As version 1 of the AWS CLI prints it.
        StateUpdatedTimestamp: 1_796_029_200,
      },
    ],
  })
  expect(await show()).toEqual(['Alarm waggle-staging-workers: No host has a healthy worker'])
  expect(text()).toMatch(/\n {2}workers +ALARM +2026-11-30T09:00:00/)
  expect(text()).toMatch(/\n {2}api-1-cpu {2}INSUFFICIENT_DATA {2}2026-11-30T09:00:00/)
})

test('with every option the auto scaling group and the cache are checked too', async () => {
  const { fake, show, text } = await start('high', ['api-1', 'api-2', 'worker'])
  expect(await show()).toEqual([])
  expect(text()).toMatch(/waggle-staging-workers {2}2 /)
  fake.operations['autoscaling describe-auto-scaling-groups'] = () => ({ AutoScalingGroups: [group(1)] })
  fake.operations['elasticache describe-replication-groups'] = () => ({
    ReplicationGroups: [{ Status: 'deleting' }],
  })
  expect(await show()).toEqual([
    'waggle-staging-workers: 1 of at least 2 hosts are in service',
    'waggle-staging: the cache is deleting',
  ])
})

test('an error of AWS is not taken for a missing database', async () => {
  const { fake, show } = await start()
  fake.failing.add('rds describe-db-instances')
  await expect(show()).rejects.toThrow('AccessDenied')
})

// The state of an environment: hosts, releases, health, alarms, the database, the cache and auto scaling.
import { z } from 'zod'
import type { Config } from '../src/config/schema.ts'
import { HEALTH_PATH, namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { type Aws, orMissing } from './aws.ts'
import { findHosts, type RunningHost } from './hosts.ts'
import { readRelease } from './release.ts'
import { onlineHosts } from './run-command.ts'
import { tableOf } from './table.ts'

export interface StatusParts {
  aws: Aws
  config: Config
  print(line: string): void
  /** Returns the public URL. @throws Error if there is none yet */
  urlOf(hosts: RunningHost[]): string
}

/** A section of the report. Faults are sentences that name the thing. */
interface Section {
  title: string
  rows: string[][]
  faults: string[]
}

const HEALTH_TIMEOUT_MS = 10_000
/** States in which RDS serves connections. */
const SERVING =
  /^(available|backing-up|modifying|storage-(optimization|config-upgrade|initialization)|configuring-[a-z-]+)$/

/** Prints the state of an environment. @returns the faults, which it prints last */
export async function showStatus(parts: StatusParts): Promise<string[]> {
  const hosts = await findHosts(parts.aws, parts.config.name)
  const sections = await Promise.all([
    releaseSection(parts),
    hostSection(parts, hosts),
    healthSection(parts, hosts),
    scalingSection(parts),
    databaseSection(parts),
    cacheSection(parts),
    alarmSection(parts),
  ])
  for (const { title, rows } of sections) {
    if (rows.length > 0) parts.print(`${title}\n${tableOf(rows)}\n`)
  }
  const faults = sections.flatMap((section) => section.faults)
  parts.print(faults.length > 0 ? `Faults:\n  ${faults.join('\n  ')}` : `${parts.config.name} has no fault`)
  return faults
}

async function releaseSection({ aws, config }: StatusParts): Promise<Section> {
  const { current, previous } = await readRelease(aws, config.name)
  return {
    title: 'Release',
    rows: [
      ['current', current ?? '-'],
      ['previous', previous ?? '-'],
    ],
    faults: current ? [] : ['There is no release yet'],
  }
}

async function hostSection({ aws, config }: StatusParts, hosts: RunningHost[]): Promise<Section> {
  const [online, { current }] = await Promise.all([onlineHosts(aws, hosts), readRelease(aws, config.name)])
  const missing = topologyOf(config).hosts.filter(({ name }) => !hosts.some((host) => host.name === name))
  return {
    title: 'Hosts',
    rows: [
      ['name', 'role', 'instance', 'public address', 'private address', 'agent', 'release'],
      ...hosts.map((host) => [
        host.name,
        host.role,
        host.id,
        host.address ?? '-',
        host.privateAddress ?? '-',
        online.includes(host) ? 'online' : 'offline',
        host.tag ?? '-',
      ]),
    ],
    faults: [
      ...missing.map(({ name }) => `${name}: no instance is running`),
      ...hosts
        .filter((host) => !online.includes(host))
        .map(({ name, id }) => `${name} (${id}): Systems Manager cannot reach it`),
      ...hosts
        .filter(({ tag }) => current && tag !== current)
        .map(({ name, id, tag }) => `${name} (${id}): runs ${tag ?? 'no release'}, not ${current}`),
    ],
  }
}

async function healthSection({ urlOf }: StatusParts, hosts: RunningHost[]): Promise<Section> {
  let url: string
  try {
    url = new URL(HEALTH_PATH, urlOf(hosts)).href
  } catch (error) {
    return { title: 'Health', rows: [], faults: [error instanceof Error ? error.message : String(error)] }
  }
  const seen = await fetch(url, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS), redirect: 'manual' }).then(
    ({ status }) => String(status),
    (error: Error) => (error.cause instanceof Error ? error.cause.message : error.message),
  )
  return {
    title: 'Health',
    rows: [[url, seen]],
    faults: seen === '200' ? [] : [`${url}: expected 200, got ${seen}`],
  }
}

async function scalingSection({ aws, config }: StatusParts): Promise<Section> {
  if (!config.workers.scaling) return { title: 'Auto scaling', rows: [], faults: [] }
  const name = namesOf(config.name).autoScalingGroup
  const [group] = scalingResponse.parse(
    await aws(['autoscaling', 'describe-auto-scaling-groups', '--auto-scaling-group-names', name]),
  ).AutoScalingGroups
  if (!group) return { title: 'Auto scaling', rows: [], faults: [`${name}: the group does not exist`] }
  const inService = group.Instances.filter(
    ({ LifecycleState, HealthStatus }) => LifecycleState === 'InService' && HealthStatus === 'Healthy',
  ).length
  const { MinSize, MaxSize, DesiredCapacity } = group
  return {
    title: 'Auto scaling',
    rows: [
      ['group', 'in service', 'desired', 'min', 'max'],
      [name, ...[inService, DesiredCapacity, MinSize, MaxSize].map(String)],
    ],
    faults: inService < MinSize ? [`${name}: ${inService} of at least ${MinSize} hosts are in service`] : [],
  }
}

const scalingResponse = z.object({
  AutoScalingGroups: z.array(
    z.object({
      MinSize: z.int(),
      MaxSize: z.int(),
      DesiredCapacity: z.int(),
      Instances: z.array(z.object({ LifecycleState: z.string(), HealthStatus: z.string() })).default([]),
    }),
  ),
})

async function databaseSection({ aws, config }: StatusParts): Promise<Section> {
  const name = namesOf(config.name).database
  const found = await orMissing(
    aws(['rds', 'describe-db-instances', '--db-instance-identifier', name]),
    /^DBInstanceNotFound/,
  )
  const [database] = found ? databaseResponse.parse(found).DBInstances : []
  if (!database) return { title: 'Database', rows: [], faults: [`${name}: the database does not exist`] }
  const { DBInstanceStatus: status, PendingModifiedValues: pending } = database
  return {
    title: 'Database',
    rows: [
      ['name', 'status', 'version', 'class', 'restorable until', 'pending changes'],
      [
        name,
        status,
        database.EngineVersion,
        database.DBInstanceClass,
        database.LatestRestorableTime ?? '-',
        Object.keys(pending).join(', ') || '-',
      ],
    ],
    faults: SERVING.test(status) ? [] : [`${name}: the database is ${status}`],
  }
}

const databaseResponse = z.object({
  DBInstances: z.array(
    z.object({
      DBInstanceStatus: z.string(),
      EngineVersion: z.string(),
      DBInstanceClass: z.string(),
      LatestRestorableTime: z.string().optional(),
      PendingModifiedValues: z.record(z.string(), z.unknown()).default({}),
    }),
  ),
})

async function cacheSection({ aws, config }: StatusParts): Promise<Section> {
  if (config.cache.kind !== 'elasticache') return { title: 'Cache', rows: [], faults: [] }
  const name = namesOf(config.name).cache
  const found = await orMissing(
    aws(['elasticache', 'describe-replication-groups', '--replication-group-id', name]),
    /^ReplicationGroupNotFound/,
  )
  const status = found ? cacheResponse.parse(found).ReplicationGroups[0].Status : 'missing'
  return {
    title: 'Cache',
    rows: [[name, status]],
    faults: ['available', 'modifying', 'snapshotting'].includes(status)
      ? []
      : [`${name}: the cache is ${status}`],
  }
}

const cacheResponse = z.object({ ReplicationGroups: z.tuple([z.object({ Status: z.string() })]) })

/**
 * Lists alarms that are not OK. Without data an alarm is shown, but it is a fault only in the state ALARM.
 */
async function alarmSection({ aws, config }: StatusParts): Promise<Section> {
  const prefix = `${namesOf(config.name).prefix}-`
  const response = await aws(['cloudwatch', 'describe-alarms', '--alarm-name-prefix', prefix])
  const alarms = alarmsResponse.parse(response).MetricAlarms.filter(({ StateValue }) => StateValue !== 'OK')
  return {
    title: 'Alarms that are not OK',
    rows: alarms.map((alarm) => [
      alarm.AlarmName.slice(prefix.length),
      alarm.StateValue,
      alarm.StateUpdatedTimestamp ?? '-',
      alarm.AlarmDescription ?? '',
    ]),
    faults: alarms
      .filter(({ StateValue }) => StateValue === 'ALARM')
      .map(
        ({ AlarmName, AlarmDescription }) => `Alarm ${AlarmName}: ${AlarmDescription ?? 'no description'}`,
      ),
  }
}

/** A time from the AWS CLI, which prints ISO 8601; its version 1 can print seconds since 1970. */
const cliTime = z.union([
  z.string(),
  z.number().transform((seconds) => new Date(seconds * 1_000).toISOString()),
])

const alarmsResponse = z.object({
  MetricAlarms: z
    .array(
      z.object({
        AlarmName: z.string(),
        StateValue: z.string(),
        StateUpdatedTimestamp: cliTime.optional(),
        AlarmDescription: z.string().optional(),
      }),
    )
    .default([]),
})

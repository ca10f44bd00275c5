// What calls somebody, and what it means when it does.
import type { Config } from '../config/schema.ts'
import { type Environment, METRICS, namesOf } from '../names.ts'
import type { RunningHost } from './hosts.ts'

export interface Alarm {
  id: string
  why: string
  namespace: string
  metric: string
  dimensions?: Record<string, string>
  statistic: 'Average' | 'Maximum' | 'Minimum' | 'Sum'
  above?: number
  below?: number
  /** Minutes in a row; 5 unless said. */
  minutes?: number
  /** What no figure means. */
  missing?: 'breaching' | 'notBreaching'
  actions?: string[]
}

export function alarmsOfHost({ name, account }: Config, { host, instance }: RunningHost): Alarm[] {
  const ec2 = { namespace: 'AWS/EC2', dimensions: { InstanceId: instance.id } }
  const action = (verb: string) => [`arn:aws:automate:${account.region}:ec2:${verb}`]
  return [
    {
      ...ec2,
      id: `${host.name}-cpu`,
      metric: 'CPUUtilization',
      statistic: 'Average',
      above: 80,
      minutes: 15,
      why: 'The host is busy all the time: a larger one, or more workers',
    },
    {
      ...ec2,
      id: `${host.name}-hardware`,
      metric: 'StatusCheckFailed_System',
      statistic: 'Maximum',
      above: 0,
      minutes: 2,
      actions: action('recover'),
      why: 'What is below the host has failed; it is moved to another machine',
    },
    {
      ...ec2,
      id: `${host.name}-system`,
      metric: 'StatusCheckFailed_Instance',
      statistic: 'Maximum',
      above: 0,
      minutes: 3,
      actions: action('reboot'),
      why: 'The host does not answer; it is restarted',
    },
    {
      ...ec2,
      id: `${host.name}-network`,
      metric: 'NetworkOut',
      statistic: 'Sum',
      above: 2_000_000_000,
      minutes: 15,
      why: 'More than 2 GB in 5 minutes leave the host: that costs, and may be a thief',
    },
    ...(host.instanceType.startsWith('t')
      ? [
          {
            ...ec2,
            id: `${host.name}-credits`,
            metric: 'CPUCreditBalance',
            statistic: 'Minimum' as const,
            below: 30,
            minutes: 15,
            why: 'The credits of the processor run out: soon it is slow, or costs more',
          },
        ]
      : []),
    ...alarmsOfFill(name, host.name),
  ]
}

/** How full a host is, as it says itself; all workers of an auto scaling group say it as one. */
export function alarmsOfFill(environment: Environment, host: string): Alarm[] {
  const own = { namespace: METRICS.namespace, dimensions: { Environment: environment, Host: host } }
  return [
    {
      ...own,
      id: `${host}-disk`,
      metric: METRICS.diskUsed,
      statistic: 'Maximum',
      above: 85,
      missing: 'breaching',
      why: 'The disk fills up, or the host says nothing any more',
    },
    {
      ...own,
      id: `${host}-memory`,
      metric: METRICS.memoryUsed,
      statistic: 'Average',
      above: 90,
      minutes: 15,
      missing: 'breaching',
      why: 'The memory is used up: containers will be killed',
    },
  ]
}

export function alarmsOfDatabase(config: Config, identifier: string): Alarm[] {
  const rds = { namespace: 'AWS/RDS', dimensions: { DBInstanceIdentifier: identifier } }
  return [
    {
      ...rds,
      id: 'database-cpu',
      metric: 'CPUUtilization',
      statistic: 'Average',
      above: 80,
      minutes: 15,
      why: 'The database is busy all the time: a larger class',
    },
    {
      ...rds,
      id: 'database-memory',
      metric: 'FreeableMemory',
      statistic: 'Minimum',
      below: 64_000_000,
      minutes: 15,
      why: 'Less than 64 MB of memory are free',
    },
    {
      ...rds,
      id: 'database-storage',
      metric: 'FreeStorageSpace',
      statistic: 'Minimum',
      below: 2_000_000_000,
      why: `Less than 2 GB are free: storage has not grown, or has reached its ${config.database.maxStorageGb} GB`,
    },
    {
      ...rds,
      id: 'database-connections',
      metric: 'DatabaseConnections',
      statistic: 'Maximum',
      above: 70,
      minutes: 10,
      why: 'The smallest class takes about 80 connections: fewer in DATABASE_POOL_SIZE, or a larger class',
    },
    {
      ...rds,
      id: 'database-reads',
      metric: 'ReadIOPS',
      statistic: 'Average',
      above: 2_500,
      minutes: 15,
      why: 'gp3 gives 3,000 operations a second',
    },
    {
      ...rds,
      id: 'database-writes',
      metric: 'WriteIOPS',
      statistic: 'Average',
      above: 2_500,
      minutes: 15,
      why: 'gp3 gives 3,000 operations a second',
    },
    {
      ...rds,
      id: 'database-disk-queue',
      metric: 'DiskQueueDepth',
      statistic: 'Average',
      above: 16,
      minutes: 15,
      why: 'The disk is slower than what is asked of it',
    },
  ]
}

export function alarmsOfTasks({ name, alarms }: Config): Alarm[] {
  const published = { namespace: METRICS.namespace, dimensions: { Environment: name } }
  const counted = { namespace: namesOf(name).logMetrics }
  return [
    {
      ...published,
      id: 'queue-depth',
      metric: METRICS.queueDepth,
      statistic: 'Maximum',
      above: alarms.queueDepth,
      minutes: 15,
      why: 'More waits than the workers can do',
    },
    {
      ...published,
      id: 'oldest-waiting',
      metric: METRICS.oldestWaiting,
      statistic: 'Maximum',
      above: alarms.oldestWaitingSeconds,
      minutes: 10,
      missing: 'breaching',
      why: 'Something waits too long, or the API answers no questions about the queue',
    },
    {
      ...published,
      id: 'workers',
      metric: METRICS.workerHeartbeat,
      statistic: 'Sum',
      below: 1,
      minutes: 3,
      missing: 'breaching',
      why: 'No host has a healthy worker: nothing is done',
    },
    {
      ...counted,
      id: 'task-failures',
      metric: METRICS.taskFailures,
      statistic: 'Sum',
      above: 20,
      why: 'More than 20 tasks in 5 minutes have failed for good',
    },
    {
      ...counted,
      id: 'server-errors',
      metric: METRICS.serverErrors,
      statistic: 'Sum',
      above: 5,
      why: 'More than 5 answers in 5 minutes were errors of ours',
    },
    {
      ...counted,
      id: 'unexpected-errors',
      metric: METRICS.unexpectedErrors,
      statistic: 'Sum',
      above: 0,
      why: 'An error that nobody has thought of: it is in the log, with level 50',
    },
  ]
}

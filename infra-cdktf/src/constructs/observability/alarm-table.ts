// The table of alarms: metric, threshold, and a description for the person who receives the mail.
import type { Config } from '../../config/schema.ts'
import { type Environment, kindRoleOf, METRICS, namesOf } from '../../names.ts'
import type { Host } from '../../topology.ts'

/** A host with the id of its instance. */
export interface WatchedHost {
  host: Host
  instance: { id: string }
}

/** A metric of CloudWatch. */
export interface Metric {
  namespace: string
  metric: string
  dimensions?: Record<string, string>
  statistic: 'Average' | 'Maximum' | 'Minimum' | 'SampleCount' | 'Sum'
}

/** An alarm on one metric, or on an expression over several. */
export type Alarm = Threshold & (Metric | { expression: string; metrics: Record<string, Metric> })

interface Threshold {
  id: string
  description: string
  above?: number
  below?: number
  /** Consecutive minutes beyond the threshold; default 5. The period is 1 minute below 5, else 5 minutes. */
  minutes?: number
  /** State of the alarm while data is missing; default notBreaching. */
  missing?: 'breaching' | 'notBreaching'
  actions?: string[]
}

export function alarmsOfHost({ name, account }: Config, { host, instance }: WatchedHost): Alarm[] {
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
      description:
        'The host used more than 80 % of its CPU for 15 minutes: use a larger host or more workers',
    },
    {
      ...ec2,
      id: `${host.name}-hardware`,
      metric: 'StatusCheckFailed_System',
      statistic: 'Maximum',
      above: 0,
      minutes: 2,
      actions: action('recover'),
      description: 'The hardware below the host failed; EC2 recovers the host on another machine',
    },
    {
      ...ec2,
      id: `${host.name}-system`,
      metric: 'StatusCheckFailed_Instance',
      statistic: 'Maximum',
      above: 0,
      minutes: 3,
      actions: action('reboot'),
      description: 'The host does not respond; EC2 reboots it',
    },
    {
      ...ec2,
      id: `${host.name}-network`,
      metric: 'NetworkOut',
      statistic: 'Sum',
      above: 2_000_000_000,
      minutes: 15,
      description: 'The host sends more than 2 GB in 5 minutes: traffic costs, or a compromised host',
    },
    ...alarmsOfCredits(name, host, ec2),
    ...alarmsOfDiskAndMemory(name, host.name),
    {
      id: `${host.name}-silent`,
      // 1 in periods in which the host runs and publishes nothing. Without the first metric, the alarm would
      // also be on while a new host prepares itself.
      expression: 'IF(checks >= 0 AND FILL(own, 0) == 0, 1, 0)',
      metrics: {
        checks: { ...ec2, metric: 'StatusCheckFailed', statistic: 'SampleCount' },
        own: { ...ownMetrics(name, host.name), metric: METRICS.diskUsed, statistic: 'SampleCount' },
      },
      above: 0,
      minutes: 30,
      description:
        'The host runs, but has published no metrics for half an hour: it is not prepared or has no release',
    },
  ]
}

/** The credits of a burstable instance. A new one starts without credits and earns 12 to 24 per hour. */
function alarmsOfCredits(
  environment: Environment,
  host: Host,
  ec2: Pick<Metric, 'namespace' | 'dimensions'>,
): Alarm[] {
  if (!host.instanceType.startsWith('t')) return []
  const id = `${host.name}-credits`
  return [
    environment === 'dev'
      ? {
          ...ec2,
          id,
          metric: 'CPUCreditBalance',
          statistic: 'Maximum',
          below: 10,
          minutes: 120,
          description: 'The host has used its CPU credits and is throttled: use a larger host',
        }
      : {
          ...ec2,
          id,
          metric: 'CPUSurplusCreditBalance',
          statistic: 'Maximum',
          above: 100,
          minutes: 60,
          description: 'The host spends more CPU credits than it earns, which costs money: use a larger host',
        },
  ]
}

/** Alarms on metrics that hosts publish. All workers of an auto scaling group publish as one host. */
export function alarmsOfDiskAndMemory(environment: Environment, host: string): Alarm[] {
  const own = ownMetrics(environment, host)
  return [
    {
      ...own,
      id: `${host}-disk`,
      metric: METRICS.diskUsed,
      statistic: 'Maximum',
      above: 85,
      description: 'The root disk of the host is more than 85 % full',
    },
    {
      ...own,
      id: `${host}-memory`,
      metric: METRICS.memoryUsed,
      statistic: 'Average',
      above: 90,
      minutes: 15,
      description:
        'The host used more than 90 % of its memory for 15 minutes: the kernel may kill containers',
    },
  ]
}

/** Metrics that a host publishes itself. */
const ownMetrics = (environment: Environment, host: string) => ({
  namespace: namesOf(environment).metrics,
  dimensions: { Environment: environment, Host: host },
})

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
      description: 'The database used more than 80 % of its CPU for 15 minutes: use a larger instance class',
    },
    {
      ...rds,
      id: 'database-memory',
      metric: 'FreeableMemory',
      statistic: 'Minimum',
      below: 64_000_000,
      minutes: 15,
      description: 'The database has less than 64 MB of free memory',
    },
    {
      ...rds,
      id: 'database-storage',
      metric: 'FreeStorageSpace',
      statistic: 'Minimum',
      below: 2_000_000_000,
      description: `The database has less than 2 GB of free storage: it did not grow, or has reached the limit of ${config.database.maxStorageGb} GB`,
    },
    {
      ...rds,
      id: 'database-connections',
      metric: 'DatabaseConnections',
      statistic: 'Maximum',
      above: 70,
      minutes: 10,
      description:
        'The database has more than 70 connections. The smallest class allows about 80, and each process opens up to twice DATABASE_POOL_SIZE: lower it or use a larger class',
    },
    {
      ...rds,
      id: 'database-reads',
      metric: 'ReadIOPS',
      statistic: 'Average',
      above: 2_500,
      minutes: 15,
      description:
        'The database needs more than 2,500 reads per second: its gp3 storage provides 3,000 operations per second',
    },
    {
      ...rds,
      id: 'database-writes',
      metric: 'WriteIOPS',
      statistic: 'Average',
      above: 2_500,
      minutes: 15,
      description:
        'The database needs more than 2,500 writes per second: its gp3 storage provides 3,000 operations per second',
    },
    {
      ...rds,
      id: 'database-disk-queue',
      metric: 'DiskQueueDepth',
      statistic: 'Average',
      above: 16,
      minutes: 15,
      description:
        'More than 16 disk requests of the database wait on average: its storage is too slow for the load',
    },
  ]
}

/** Only with ingress `edge`: the certificate of a load balancer is renewed by AWS. */
export function alarmsOfCertificate({ name, ingress }: Config): Alarm[] {
  if (ingress !== 'edge') return []
  return [
    {
      namespace: namesOf(name).metrics,
      dimensions: { Environment: name },
      id: 'certificate',
      metric: METRICS.certificateLifetimeLeft,
      statistic: 'Minimum',
      // The certificate is renewed when a third of its lifetime (33 %) is left.
      below: 20,
      // A first certificate needs a DNS record, which can be late.
      minutes: 60,
      missing: 'breaching',
      description:
        'The certificate is not renewed, or there is none: the log of the container certificates contains the reason',
    },
  ]
}

export function alarmsOfTasks({ name, alarms, workers }: Config): Alarm[] {
  const published = { namespace: namesOf(name).metrics, dimensions: { Environment: name } }
  const counted = { namespace: namesOf(name).metrics }
  return [
    {
      ...published,
      id: 'queue-depth',
      metric: METRICS.queueDepth,
      statistic: 'Maximum',
      above: alarms.queueDepth,
      minutes: 15,
      description: 'More tasks wait than the workers can run',
    },
    {
      ...published,
      id: 'oldest-waiting',
      metric: METRICS.oldestWaiting,
      statistic: 'Maximum',
      above: alarms.oldestWaitingSeconds,
      minutes: 10,
      missing: 'breaching',
      description: 'A task waits too long, or the API does not return queue statistics',
    },
    {
      ...published,
      id: 'workers',
      metric: METRICS.workerHeartbeat,
      statistic: 'Sum',
      below: 1,
      minutes: 3,
      missing: 'breaching',
      description: 'No host has a healthy worker for the queues of `workers`: their tasks wait',
    },
    {
      ...published,
      id: 'workers-unhealthy',
      metric: METRICS.unhealthyWorkers,
      statistic: 'Maximum',
      above: 0,
      // A rollout replaces containers for less than a minute, which can affect two periods of 5 minutes.
      minutes: 15,
      description: 'A worker on at least one host does not start, restarts repeatedly or is unhealthy',
    },
    ...Object.keys(workers.kinds).map(
      (kind): Alarm => ({
        namespace: namesOf(name).metrics,
        dimensions: { Environment: name, Worker: kindRoleOf(kind) },
        id: `workers-${kind}`,
        metric: METRICS.workerHeartbeat,
        statistic: 'Sum',
        below: 1,
        minutes: 3,
        missing: 'breaching',
        description: `No host has a healthy worker of the kind ${kind}: tasks of its queues wait`,
      }),
    ),
    {
      ...counted,
      id: 'task-failures',
      metric: METRICS.taskFailures,
      statistic: 'Sum',
      above: 20,
      description: 'More than 20 tasks ended as FAILURE in 5 minutes',
    },
    {
      ...counted,
      id: 'server-errors',
      metric: METRICS.serverErrors,
      statistic: 'Sum',
      above: 5,
      description: 'More than 5 responses in 5 minutes had a 5xx status',
    },
    {
      ...counted,
      id: 'unexpected-errors',
      metric: METRICS.unexpectedErrors,
      statistic: 'Sum',
      above: 0,
      description: 'Unexpected error: see log lines with level 50 or higher',
    },
  ]
}

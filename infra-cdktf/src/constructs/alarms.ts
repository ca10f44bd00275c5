// What calls somebody. Each row says what it means when it rings.
import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js'
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy/index.js'
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { METRICS, namesOf } from '../names.ts'
import type { RunningHost } from './hosts.ts'
import type { Keys } from './keys.ts'
import { policy } from './policy.ts'

interface Alarm {
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

export interface Watched {
  hosts: RunningHost[]
  database: string
  keys: Keys
}

export function createAlarms(scope: Construct, config: Config, { hosts, database, keys }: Watched): void {
  const { prefix } = namesOf(config.name)
  const topic = createTopic(scope, config, keys)
  const alarms = [
    ...hosts.flatMap((host) => ofHost(config, host)),
    ...ofDatabase(config, database),
    ...ofTasks(config),
  ]
  for (const { id, above, below, minutes = 5, actions = [], ...alarm } of alarms) {
    const isShort = minutes < 5
    new CloudwatchMetricAlarm(scope, `alarm-${id}`, {
      alarmName: `${prefix}-${id}`,
      alarmDescription: alarm.why,
      namespace: alarm.namespace,
      metricName: alarm.metric,
      dimensions: alarm.dimensions,
      statistic: alarm.statistic,
      comparisonOperator: above === undefined ? 'LessThanThreshold' : 'GreaterThanThreshold',
      threshold: above ?? below,
      period: isShort ? 60 : 300,
      evaluationPeriods: isShort ? minutes : minutes / 5,
      treatMissingData: alarm.missing ?? 'notBreaching',
      actionsEnabled: true,
      alarmActions: [topic, ...actions],
      okActions: [topic],
    })
  }
}

function createTopic(scope: Construct, { name, account }: Config, keys: Keys): string {
  const { prefix } = namesOf(name)
  const topic = new SnsTopic(scope, 'alarms', { name: `${prefix}-alarms`, kmsMasterKeyId: keys.topic })
  new SnsTopicPolicy(scope, 'alarms-policy', {
    arn: topic.arn,
    policy: policy({
      Action: 'sns:Publish',
      Resource: topic.arn,
      Principal: { Service: 'cloudwatch.amazonaws.com' },
      Condition: { StringEquals: { 'aws:SourceAccount': account.id } },
    }),
  })
  new SnsTopicSubscription(scope, 'alarms-by-mail', {
    topicArn: topic.arn,
    protocol: 'email',
    endpoint: account.email,
  })
  return topic.arn
}

function ofHost({ name, account }: Config, { host, instance }: RunningHost): Alarm[] {
  const ec2 = { namespace: 'AWS/EC2', dimensions: { InstanceId: instance.id } }
  const own = { namespace: METRICS.namespace, dimensions: { Environment: name, Host: host.name } }
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
    {
      ...own,
      id: `${host.name}-disk`,
      metric: METRICS.diskUsed,
      statistic: 'Maximum',
      above: 85,
      missing: 'breaching',
      why: 'The disk fills up, or the host says nothing any more',
    },
    {
      ...own,
      id: `${host.name}-memory`,
      metric: METRICS.memoryUsed,
      statistic: 'Average',
      above: 90,
      minutes: 15,
      missing: 'breaching',
      why: 'The memory is used up: containers will be killed',
    },
  ]
}

function ofDatabase(config: Config, identifier: string): Alarm[] {
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

function ofTasks({ name, alarms }: Config): Alarm[] {
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

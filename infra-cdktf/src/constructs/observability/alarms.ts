// CloudWatch alarms, and the topic that sends them by mail.
import { CloudwatchMetricAlarm } from '@cdktf/provider-aws/lib/cloudwatch-metric-alarm/index.js'
import { SnsTopic } from '@cdktf/provider-aws/lib/sns-topic/index.js'
import { SnsTopicPolicy } from '@cdktf/provider-aws/lib/sns-topic-policy/index.js'
import { SnsTopicSubscription } from '@cdktf/provider-aws/lib/sns-topic-subscription/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf } from '../../names.ts'
import type { Keys } from '../identity/keys.ts'
import { policy } from '../identity/policy.ts'
import {
  type Alarm,
  alarmsOfCertificate,
  alarmsOfDatabase,
  alarmsOfDiskAndMemory,
  alarmsOfHost,
  alarmsOfTasks,
  type Metric,
  type WatchedHost,
} from './alarm-table.ts'

export interface AlarmParts {
  hosts: WatchedHost[]
  /** Identifier of the database instance. */
  database: string
  keys: Keys
}

export function createAlarms(scope: Construct, config: Config, { hosts, database, keys }: AlarmParts): void {
  const { prefix } = namesOf(config.name)
  const topic = createTopic(scope, config, keys)
  const alarms = [
    ...hosts.flatMap((host) => alarmsOfHost(config, host)),
    ...(config.workers.scaling ? alarmsOfDiskAndMemory(config.name, 'worker') : []),
    ...alarmsOfDatabase(config, database),
    ...alarmsOfTasks(config),
    ...alarmsOfCertificate(config),
  ]
  for (const alarm of alarms) {
    const { id, above, below, minutes = 5, actions = [] } = alarm
    const period = minutes < 5 ? 60 : 300
    new CloudwatchMetricAlarm(scope, `alarm-${id}`, {
      alarmName: `${prefix}-${id}`,
      alarmDescription: alarm.description,
      ...('metric' in alarm ? { ...metricOf(alarm), period } : { metricQuery: queriesOf(alarm, period) }),
      comparisonOperator: above === undefined ? 'LessThanThreshold' : 'GreaterThanThreshold',
      threshold: above ?? below,
      evaluationPeriods: (minutes * 60) / period,
      treatMissingData: alarm.missing ?? 'notBreaching',
      actionsEnabled: true,
      alarmActions: [topic, ...actions],
      okActions: [topic],
    })
  }
}

const metricOf = ({ namespace, metric, dimensions, statistic }: Metric) => ({
  namespace,
  metricName: metric,
  dimensions,
  statistic,
})

function queriesOf({ expression, metrics }: Extract<Alarm, { expression: string }>, period: number) {
  return [
    { id: 'result', label: 'Result', expression, returnData: true },
    ...Object.entries(metrics).map(([id, metric]) => {
      const { statistic: stat, ...rest } = metricOf(metric)
      return { id, metric: { ...rest, stat, period } }
    }),
  ]
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

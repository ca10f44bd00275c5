// Log groups, and metric filters that count log lines.
import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js'
import { CloudwatchLogMetricFilter } from '@cdktf/provider-aws/lib/cloudwatch-log-metric-filter/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { METRICS, namesOf } from '../../names.ts'
import type { Keys } from '../identity/keys.ts'

export type LogGroups = ReturnType<typeof createLogs>

export function createLogs(scope: Construct, config: Config, keys: Keys) {
  const { logs } = namesOf(config.name)
  const create = (id: string, name: string) =>
    new CloudwatchLogGroup(scope, `${id}-logs`, {
      name,
      retentionInDays: config.logs.retentionDays,
      kmsKeyId: keys.storage,
    })
  const groups = {
    backend: create('backend', logs.backend),
    worker: create('worker', logs.worker),
    rollout: create('rollout', logs.rollout),
    host: create('host', logs.host),
    flow: create('flow', logs.flow),
    database: create('database', logs.database),
    databaseUpgrade: create('database-upgrade', logs.databaseUpgrade),
  }
  for (const [id, group, metric, pattern] of [
    ['server-errors', groups.backend, METRICS.serverErrors, '{ ($.role = "edge") && ($.status >= 500) }'],
    [
      'task-failures',
      groups.worker,
      METRICS.taskFailures,
      '{ ($.msg = "task finished") && ($.status = "FAILURE") }',
    ],
    // Without failed orders of certificates: the first one can fail until a DNS record is known everywhere.
    // The alarm `certificate` reports orders that keep failing.
    [
      'backend-errors',
      groups.backend,
      METRICS.unexpectedErrors,
      '{ ($.level >= 50) && ($.role != "certificates") }',
    ],
    ['worker-errors', groups.worker, METRICS.unexpectedErrors, '{ $.level >= 50 }'],
  ] as const) {
    new CloudwatchLogMetricFilter(scope, id, {
      name: id,
      logGroupName: group.name,
      pattern,
      metricTransformation: {
        namespace: namesOf(config.name).metrics,
        name: metric,
        value: '1',
        defaultValue: '0',
      },
    })
  }
  return groups
}

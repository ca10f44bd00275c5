// The CloudWatch dashboard: hosts, database, tasks, and the latest lines of both logs.
import { CloudwatchDashboard } from '@cdktf/provider-aws/lib/cloudwatch-dashboard/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { METRICS, namesOf } from '../../names.ts'
import type { WatchedHost } from './alarm-table.ts'

type Line = (string | { label?: string; stat?: string })[]

export function createDashboard(
  scope: Construct,
  config: Config,
  hosts: WatchedHost[],
  database: string,
): void {
  const names = namesOf(config.name)
  const { region } = config.account
  const chart = (title: string, metrics: Line[], stat = 'Average') => ({
    type: 'metric',
    properties: { title, region, metrics, stat, period: 300, view: 'timeSeries' },
  })
  const ofHosts = (title: string, metric: string, stat?: string) =>
    chart(
      title,
      [
        ...hosts.map(({ host, instance }) => [
          'AWS/EC2',
          metric,
          'InstanceId',
          instance.id,
          { label: host.name },
        ]),
        ...(config.workers.scaling
          ? [['AWS/EC2', metric, 'AutoScalingGroupName', names.autoScalingGroup, { label: 'workers' }]]
          : []),
      ],
      stat,
    )
  const ofDatabase = (title: string, ...metrics: string[]) =>
    chart(
      title,
      metrics.map((metric) => ['AWS/RDS', metric, 'DBInstanceIdentifier', database]),
    )
  const ofTasks = (title: string, metrics: string[], stat: string) =>
    chart(
      title,
      metrics.map((metric) => [names.metrics, metric, 'Environment', config.name]),
      stat,
    )
  const lines = (title: string, group: string, filter: string) => ({
    type: 'log',
    properties: {
      title,
      region,
      view: 'table',
      query: `SOURCE '${group}' | fields @timestamp, @message${filter} | sort @timestamp desc | limit 50`,
    },
  })

  const rows = [
    [
      ofTasks('Waiting and running tasks', [METRICS.queueDepth, METRICS.running], 'Maximum'),
      ofTasks('Wait time of the oldest task (seconds)', [METRICS.oldestWaiting], 'Maximum'),
      ofTasks('Heartbeats of healthy workers in 5 minutes (5 per host)', [METRICS.workerHeartbeat], 'Sum'),
      chart(
        'Failures and errors',
        [METRICS.taskFailures, METRICS.serverErrors, METRICS.unexpectedErrors].map((name) => [
          names.metrics,
          name,
        ]),
        'Sum',
      ),
    ],
    [
      ofHosts('EC2: CPU utilization', 'CPUUtilization'),
      ofHosts('EC2: network in', 'NetworkIn', 'Sum'),
      ofHosts('EC2: network out', 'NetworkOut', 'Sum'),
      ofHosts('EC2: status checks', 'StatusCheckFailed', 'Maximum'),
    ],
    [
      ofDatabase('RDS: CPU utilization', 'CPUUtilization'),
      ofDatabase('RDS: freeable memory', 'FreeableMemory'),
      ofDatabase('RDS: connections', 'DatabaseConnections'),
      ofDatabase('RDS: IOPS', 'ReadIOPS', 'WriteIOPS'),
    ],
    [
      lines(
        'backend-logs: warnings and errors',
        names.logs.backend,
        ' | filter status >= 500 or level >= 40',
      ),
      lines('worker-logs: warnings and errors', names.logs.worker, ' | filter level >= 40'),
    ],
  ]
  new CloudwatchDashboard(scope, 'dashboard', {
    dashboardName: names.dashboard,
    dashboardBody: JSON.stringify({
      widgets: rows.flatMap((row, y) =>
        row.map((widget, x) => ({
          ...widget,
          x: x * (24 / row.length),
          y: y * 6,
          width: 24 / row.length,
          height: 6,
        })),
      ),
    }),
  })
}

// Shows log lines of CloudWatch in this terminal, with `aws logs tail`.
import type { Config } from '../src/config/schema.ts'
import { namesOf } from '../src/names.ts'

export const LOG_TARGETS = ['api', 'worker', 'rollout', 'host', 'database'] as const
type LogTarget = (typeof LOG_TARGETS)[number]

export interface LogOptions {
  /** A duration such as `15m`, `1h` or `2d`, or a time in ISO 8601. */
  since: string
  follow: boolean
  /** Text that lines contain, or a filter pattern of CloudWatch in braces: `{ $.level >= 40 }`. */
  filter?: string | undefined
  /** Name of the host, or its beginning. Not for rollouts and the database. */
  host?: string | undefined
}

/** Returns the arguments for the AWS CLI. @throws Error for a target or an option that is not valid */
export function logArguments(config: Config, target: string, options: LogOptions): string[] {
  const { logs } = namesOf(config.name)
  const groups: Record<LogTarget, string> = {
    // nginx and migrations write to the log group of the API.
    api: logs.backend,
    worker: logs.worker,
    rollout: logs.rollout,
    host: logs.host,
    database: logs.database,
  }
  const known = LOG_TARGETS.find((name) => name === target)
  if (!known) throw new Error(`"${target}" is not a log: choose ${LOG_TARGETS.join(', ')}`)
  if (!/^(\d+[smhdw]|\d{4}-\d\d-\d\dT[\d:.]+Z?)$/.test(options.since))
    throw new Error(
      `--since ${options.since}: must be a duration such as 15m, 1h or 2d, or 2026-11-30T10:00:00Z`,
    )
  if (options.host && ['rollout', 'database'].includes(known))
    throw new Error(`--host is not possible with ${known}, whose log streams are not named after hosts`)
  return [
    'logs',
    'tail',
    groups[known],
    '--format',
    'short',
    '--since',
    options.since,
    ...(options.follow ? ['--follow'] : []),
    ...(options.filter ? ['--filter-pattern', patternOf(options.filter)] : []),
    // Log streams begin with the name of the host and a slash.
    ...(options.host ? ['--log-stream-name-prefix', options.host] : []),
  ]
}

/** CloudWatch searches for a text in quotes as it is. */
const patternOf = (filter: string) =>
  /^\s*\{.*\}\s*$/.test(filter) ? filter : `"${filter.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

// Permissions for the log groups of an environment.
import type { Account } from '../../config/schema.ts'
import { type Environment, namesOf } from '../../names.ts'
import type { Statement } from './policy.ts'

/** ARN patterns of the log groups of an environment and of their streams. */
export const logGroupArns = ({ id, region }: Account, environment: Environment): string[] =>
  Object.values(namesOf(environment).logs).flatMap((group) => {
    const arn = `arn:aws:logs:${region}:${id}:log-group:${group}`
    return [arn, `${arn}:*`]
  })

/**
 * The Systems Manager agent and flow logs search their log group before they write to it. The action does not
 * support resource-level permissions. It shows names of groups, not their contents.
 */
export const FIND_LOG_GROUPS: Statement = {
  Sid: 'FindLogGroups',
  Action: 'logs:DescribeLogGroups',
  Resource: '*',
}

// Permissions of the workflow `deploy` in one environment: change its resources, and roll out. The role
// cannot reach other environments in the same account, nor change the shared stack, which contains the role
// itself.
import type { Account, Config } from '../../config/schema.ts'
import type { Environment } from '../../names.ts'
import type { Statement } from '../identity/policy.ts'
import { tagStatements } from './deploy/by-tag.ts'
import { dataStatements } from './deploy/data.ts'
import { denyStatements } from './deploy/deny.ts'
import { releaseStatements } from './deploy/release.ts'
import { roleStatements } from './deploy/roles.ts'
import { serviceStatements } from './deploy/services.ts'

/**
 * Returns statements by the last part of the policy name. IAM limits each policy to 6,144 characters.
 * @param domain the public domain of the environment, if it has one
 */
export function deployPolicies(
  account: Account,
  environment: Environment,
  domain: Config['domain'],
): Record<string, Statement[]> {
  return {
    tags: tagStatements(account, environment),
    data: dataStatements(account, environment),
    services: serviceStatements(account, environment),
    roles: [...roleStatements(account, environment), ...denyStatements(environment)],
    release: releaseStatements(account, environment, domain),
  }
}

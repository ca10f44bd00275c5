// Permissions of the workflow `deploy`: write the resources of an environment, and roll out. The role cannot
// change the shared stack, which contains the role itself, nor create roles without the permissions boundary.
import type { Account } from '../../config/schema.ts'
import type { Statement } from '../identity/policy.ts'
import { dataStatements } from './deploy/data.ts'
import { networkStatements } from './deploy/network.ts'
import { observabilityStatements } from './deploy/observability.ts'
import { releaseStatements } from './deploy/release.ts'
import { roleStatements } from './deploy/roles.ts'

/** Returns statements by the last part of the policy name. IAM limits each policy to 6,144 characters. */
export function deployPolicies(account: Account): Record<string, Statement[]> {
  return {
    network: networkStatements(account),
    data: dataStatements(account),
    watching: observabilityStatements(account),
    roles: roleStatements(account),
    release: releaseStatements(account),
  }
}

// Roles that workflows assume with the OIDC token of their run. There are no stored access keys.
import { DataAwsIamOpenidConnectProvider } from '@cdktf/provider-aws/lib/data-aws-iam-openid-connect-provider/index.js'
import { IamOpenidConnectProvider } from '@cdktf/provider-aws/lib/iam-openid-connect-provider/index.js'
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment/index.js'
import type { Construct } from 'constructs'
import type { Account, Config } from '../../config/schema.ts'
import {
  deployRoleOf,
  ENVIRONMENTS,
  type Environment,
  GITHUB_ENVIRONMENTS,
  GITHUB_ROLES,
} from '../../names.ts'
import { policy, type Statement } from '../identity/policy.ts'
import { buildStatements } from './build-policy.ts'
import { deployPolicies } from './deploy-policy.ts'
import { type RunContext, subjectOf } from './github-subject.ts'
import { planStatements } from './plan-policy.ts'

const ISSUER = 'token.actions.githubusercontent.com'
const MAIN = 'refs/heads/main'

/** Public domains by environment. */
export type Domains = Partial<Record<Environment, Config['domain']>>

interface RoleSettings {
  name: string
  contexts: RunContext[]
  /** Limits the role to runs of this branch or tag, in addition to the contexts. */
  ref?: string
  /** Statements by the last part of the policy name. */
  policies: Record<string, Statement[]>
}

export function createGithubRoles(scope: Construct, account: Account, domains: Domains): void {
  const provider = providerArn(scope, account)
  const create = (id: string, settings: RoleSettings) => createRole(scope, id, account, provider, settings)

  // Pull requests may read what Terraform compares, but no secrets; those from forks get no token. Runs on
  // main plan for the reviewers.
  create('plan', {
    name: GITHUB_ROLES.plan,
    contexts: ['pull_request', `ref:${MAIN}`],
    policies: { read: planStatements(account, '*') },
  })
  create('build', {
    name: GITHUB_ROLES.build,
    contexts: [`ref:${MAIN}`],
    policies: { images: buildStatements(account) },
  })
  for (const environment of ENVIRONMENTS) {
    create(`deploy-${environment}`, {
      name: deployRoleOf(environment),
      // Only jobs in this GitHub environment, which start after its reviewers have approved them.
      contexts: [`environment:${GITHUB_ENVIRONMENTS[environment]}`],
      // Without reviewers anyone who can push a branch could run a job in the environment.
      ...(environment === 'prod' && { ref: MAIN }),
      policies: {
        read: planStatements(account, environment),
        ...deployPolicies(account, environment, domains[environment]),
      },
    })
  }
}

/** Returns the ARN of GitHub's provider. An account can have only one with this URL. */
function providerArn(scope: Construct, { github }: Account): string {
  const url = `https://${ISSUER}`
  if (github.existingProvider) return new DataAwsIamOpenidConnectProvider(scope, 'github', { url }).arn
  return new IamOpenidConnectProvider(scope, 'github', { url, clientIdList: ['sts.amazonaws.com'] }).arn
}

function createRole(
  scope: Construct,
  id: string,
  { github }: Account,
  provider: string,
  { name, contexts, ref, policies }: RoleSettings,
): void {
  const role = new IamRole(scope, `github-${id}`, {
    name,
    maxSessionDuration: 3_600,
    assumeRolePolicy: policy({
      Action: 'sts:AssumeRoleWithWebIdentity',
      Principal: { Federated: provider },
      Condition: {
        StringEquals: {
          [`${ISSUER}:aud`]: 'sts.amazonaws.com',
          [`${ISSUER}:sub`]: contexts.map((context) => subjectOf(github, context)),
          ...(ref && { [`${ISSUER}:ref`]: ref }),
        },
      },
    }),
  })
  for (const [part, statements] of Object.entries(policies)) {
    // Managed policies, because all inline policies of a role together are limited to 10,240 characters.
    const managed = new IamPolicy(scope, `github-${id}-${part}`, {
      name: `${name}-${part}`,
      policy: policy(...statements),
    })
    new IamRolePolicyAttachment(scope, `github-${id}-may-${part}`, {
      role: role.name,
      policyArn: managed.arn,
    })
  }
}

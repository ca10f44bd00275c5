// Roles that workflows assume with the OIDC token of their run. There are no stored access keys.
import { IamOpenidConnectProvider } from '@cdktf/provider-aws/lib/iam-openid-connect-provider/index.js'
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment/index.js'
import type { Construct } from 'constructs'
import type { Account } from '../../config/schema.ts'
import { GITHUB_ENVIRONMENTS, GITHUB_ROLES } from '../../names.ts'
import { policy, type Statement } from '../identity/policy.ts'
import { buildStatements } from './build-policy.ts'
import { deployPolicies } from './deploy-policy.ts'
import { type RunContext, subjectOf } from './github-subject.ts'
import { planStatements } from './plan-policy.ts'

const ISSUER = 'token.actions.githubusercontent.com'

export function createGithubRoles(scope: Construct, account: Account): void {
  const provider = new IamOpenidConnectProvider(scope, 'github', {
    url: `https://${ISSUER}`,
    clientIdList: ['sts.amazonaws.com'],
  })
  const createRole = (
    id: keyof typeof GITHUB_ROLES,
    contexts: RunContext[],
    policies: Record<string, Statement[]>,
  ) => {
    const role = new IamRole(scope, `github-${id}`, {
      name: GITHUB_ROLES[id],
      maxSessionDuration: 3_600,
      assumeRolePolicy: policy({
        Action: 'sts:AssumeRoleWithWebIdentity',
        Principal: { Federated: provider.arn },
        Condition: {
          StringEquals: {
            [`${ISSUER}:aud`]: 'sts.amazonaws.com',
            [`${ISSUER}:sub`]: contexts.map((context) => subjectOf(account.github, context)),
          },
        },
      }),
    })
    for (const [name, statements] of Object.entries(policies)) {
      // Managed policies, because all inline policies of a role together are limited to 10,240 characters.
      const managed = new IamPolicy(scope, `github-${id}-${name}`, {
        name: `${GITHUB_ROLES[id]}-${name}`,
        policy: policy(...statements),
      })
      new IamRolePolicyAttachment(scope, `github-${id}-may-${name}`, {
        role: role.name,
        policyArn: managed.arn,
      })
    }
  }

  // Pull requests may read what Terraform compares, but no secrets; those from forks get no token. Runs on
  // main plan for the reviewers.
  createRole('plan', ['pull_request', 'ref:refs/heads/main'], { see: planStatements(account) })
  createRole('build', ['ref:refs/heads/main'], { images: buildStatements(account) })
  // Only jobs in a GitHub environment, which start after its reviewers have approved them.
  createRole(
    'deploy',
    Object.values(GITHUB_ENVIRONMENTS).map((name): RunContext => `environment:${name}`),
    { see: planStatements(account), ...deployPolicies(account) },
  )
}

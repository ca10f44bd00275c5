// The roles that workflows take, by the token that GitHub gives each run: there are no keys to lose.
import { IamOpenidConnectProvider } from '@cdktf/provider-aws/lib/iam-openid-connect-provider/index.js'
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicyAttachment } from '@cdktf/provider-aws/lib/iam-role-policy-attachment/index.js'
import type { Construct } from 'constructs'
import type { Account } from '../config/schema.ts'
import { type RunContext, subjectOf } from '../github-subject.ts'
import { GITHUB_ENVIRONMENTS, GITHUB_ROLES } from '../names.ts'
import { deploying } from './deploy-policy.ts'
import { building, planning } from './github-policies.ts'
import { policy, type Statement } from './policy.ts'

const ISSUER = 'token.actions.githubusercontent.com'

export function createGithubRoles(scope: Construct, account: Account): void {
  const provider = new IamOpenidConnectProvider(scope, 'github', {
    url: `https://${ISSUER}`,
    clientIdList: ['sts.amazonaws.com'],
  })
  const role = (
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
      // Managed ones: all that stands in a role itself may have 10,240 characters together.
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

  // A pull request may see, but for secrets. Those of forks get no token at all. Main plans what reviewers look at.
  role('plan', ['pull_request', 'ref:refs/heads/main'], { see: planning(account) })
  role('build', ['ref:refs/heads/main'], { images: building(account) })
  // Only behind an environment of GitHub, whose reviewers have said yes.
  role(
    'deploy',
    Object.values(GITHUB_ENVIRONMENTS).map((name): RunContext => `environment:${name}`),
    { see: planning(account), ...deploying(account) },
  )
}

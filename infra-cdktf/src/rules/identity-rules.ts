// Rules for IAM policies, trust policies, credentials of hosts, and secrets.
import { SECRETS } from '../names.ts'
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { SECRET } from './secrets.ts'
import { each, type PolicyStatement, policiesIn, resourcesIn, type Stack, type Values } from './stack.ts'

/** Actions that do not support resource-level permissions. */
const WITHOUT_RESOURCE = [
  /^(ec2|rds|autoscaling|elasticache|elasticloadbalancing):Describe/,
  /^(elasticache|rds|cloudwatch|logs|acm|ecr):(List|Describe|Get)/,
  /^(ssmmessages|ec2messages):/,
  /^ssm:(UpdateInstanceInformation|ListAssociations|ListInstanceAssociations|DescribeParameters|GetCommandInvocation|ListCommands|ListCommandInvocations|DescribeInstanceInformation|CancelCommand)$/,
  /^(ecr:GetAuthorizationToken|sts:GetCallerIdentity|kms:ListAliases|route53:CreateHostedZone|route53:GetChange)$/,
]

/** Actions that do not support resource-level permissions, and the condition key that must restrict them. */
const WITH_CONDITION: Record<string, string> = {
  'cloudwatch:PutMetricData': 'cloudwatch:namespace',
  'kms:CreateKey': 'aws:RequestTag/Project',
  'acm:RequestCertificate': 'aws:RequestTag/Project',
}

/** Actions that allow privilege escalation. */
const ESCALATING =
  /^iam:(Attach\w+Policy|Put(User|Group)Policy|Create(User|AccessKey|LoginProfile|PolicyVersion)|SetDefaultPolicyVersion|UpdateAssumeRolePolicy|UpdateLoginProfile|AddUserToGroup|DeleteRolePermissionsBoundary)$|^sts:AssumeRole$|^ssm:StartSession$|^lambda:/

/** Actions that allow privilege escalation unless a condition requires the permissions boundary. */
const BOUNDED = /^iam:(CreateRole|PutRolePolicy|PutRolePermissionsBoundary)$/

// Limits of IAM, in characters: a managed policy, and all inline policies of a role together.
const MANAGED_LIMIT = 6_144
const INLINE_LIMIT = 10_240

/** Returns address and Sid of the Allow statements for which the condition holds. */
function allowed(stack: Stack, isWrong: (statement: PolicyStatement) => boolean): string[] {
  return policiesIn(stack, 'identity').flatMap(({ address, statements }) =>
    statements
      .filter((statement) => statement.effect === 'Allow' && isWrong(statement))
      .map(({ sid }) => `${address}: ${sid}`),
  )
}

const hasKey = ({ condition }: PolicyStatement, key: string) =>
  Object.entries(condition).some(([operator, keys]) => operator === 'StringEquals' && key in keys)

const isOpen = ({ resources }: PolicyStatement) => resources.includes('*')

export const identityRules: Rule[] = [
  {
    name: 'no role may perform all actions of AWS or of one service',
    find: (stack) => [
      ...allowed(stack, ({ actions }) => actions.some((action) => action === '*' || action.endsWith(':*'))),
      ...resourcesIn(stack, 'aws_iam_role_policy_attachment')
        .filter(({ values }) =>
          /^arn:aws:iam::aws:policy\/.*(Administrator|PowerUser|FullAccess|ReadOnlyAccess)/.test(
            values.policy_arn,
          ),
        )
        .map(({ address }) => address),
    ],
  },
  {
    name: 'actions that support resource-level permissions are not allowed on all resources',
    find: (stack) =>
      allowed(
        stack,
        (statement) =>
          isOpen(statement) &&
          statement.actions.some((action) => {
            const key = WITH_CONDITION[action]
            return key ? !hasKey(statement, key) : !WITHOUT_RESOURCE.some((known) => known.test(action))
          }),
      ),
  },
  {
    name: 'no role can escalate its privileges or those of another role',
    find: (stack) => [
      ...allowed(
        stack,
        (statement) =>
          statement.actions.some((action) => ESCALATING.test(action)) ||
          (statement.actions.some((action) => BOUNDED.test(action)) &&
            !hasKey(statement, 'iam:PermissionsBoundary')) ||
          (statement.actions.includes('iam:PassRole') && !hasKey(statement, 'iam:PassedToService')),
      ),
      ...resourcesIn(stack, 'aws_iam_role')
        .filter(({ values }) => !values.permissions_boundary && !values.name.startsWith('waggle-github-'))
        .map(({ address }) => `${address}: no boundary`),
      ...policiesIn(stack, 'identity')
        .filter(
          ({ address, text }) =>
            text.length > (address.startsWith('aws_iam_policy') ? MANAGED_LIMIT : INLINE_LIMIT),
        )
        .map(({ address }) => `${address}: exceeds the length limit of IAM`),
    ],
  },
  {
    name: 'only named services and GitHub can assume a role',
    find: (stack) =>
      policiesIn(stack, 'trust')
        .filter(
          ({ statements }) =>
            !statements.every(
              ({ principals }) =>
                principals.length > 0 &&
                principals.every((name) =>
                  /^Service: [a-z0-9.-]+\.amazonaws\.com$|^Federated: \$\{(data\.)?aws_iam_openid/.test(name),
                ),
            ),
        )
        .map(({ address }) => address),
  },
  {
    name: 'GitHub can assume a role only with an exact subject',
    find: (stack) =>
      policiesIn(stack, 'trust')
        .filter(({ statements }) =>
          statements.some(({ principals, condition }) => {
            if (!principals.some((name) => name.startsWith('Federated'))) return false
            const { StringEquals: exact = {}, ...looser } = condition
            const subjects = [exact['token.actions.githubusercontent.com:sub'] ?? []].flat()
            return (
              Object.keys(looser).length > 0 ||
              exact['token.actions.githubusercontent.com:aud'] !== 'sts.amazonaws.com' ||
              subjects.length === 0 ||
              subjects.some((subject) => /[*?]/.test(subject) || !subject.startsWith('repo:'))
            )
          }),
        )
        .map(({ address }) => address),
  },
  {
    name: 'instance metadata requires IMDSv2, and containers cannot reach it',
    find: (stack) =>
      unless(resourcesIn(stack, 'aws_instance', 'aws_launch_template'), ({ metadata_options }) =>
        each(metadata_options).some(
          ({ http_tokens, http_put_response_hop_limit }) =>
            http_tokens === 'required' && http_put_response_hop_limit === 1,
        ),
      ),
  },
  {
    name: 'Terraform contains no secret, and with kms "cmk" the key encrypts all stored data',
    find: (stack, { kms }) => [
      ...resourcesIn(stack)
        .filter(({ type, values }) => containsSecret(type, values))
        .map(({ address }) => address),
      ...(kms === 'cmk'
        ? resourcesIn(
            stack,
            'aws_db_instance',
            'aws_ebs_volume',
            'aws_cloudwatch_log_group',
            'aws_elasticache_replication_group',
          )
            .filter(({ values }) => !values.kms_key_id)
            .map(({ address }) => `${address}: not encrypted with the key`)
        : []),
    ],
  },
]

function containsSecret(type: string, values: Values): boolean {
  const name =
    String(values.name ?? '')
      .split('/')
      .at(-1) ?? ''
  return (
    ['random_password', 'aws_secretsmanager_secret_version', 'aws_iam_access_key'].includes(type) ||
    (type === 'aws_ssm_parameter' && ([...SECRETS.app, ...SECRETS.api] as string[]).includes(name)) ||
    ['password', 'passwords', 'auth_token', 'secret_string'].some((secret) => values[secret] !== undefined) ||
    SECRET.test(JSON.stringify(values)) ||
    SECRET.test(userDataOf(values))
  )
}

function userDataOf({ user_data = '', user_data_base64 = '' }: Values): string {
  return [user_data, user_data_base64].map((text) => Buffer.from(text, 'base64').toString()).join('\n')
}

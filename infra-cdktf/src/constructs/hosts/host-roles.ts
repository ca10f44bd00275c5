// IAM roles of hosts. A host may read its own settings, pull images, write its logs and metrics, and be
// reached by Session Manager. The managed policy AmazonSSMManagedInstanceCore would let every host read every
// parameter of the account.
import { IamInstanceProfile } from '@cdktf/provider-aws/lib/iam-instance-profile/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf, REDIS_HOST_PARAMETERS, REPOSITORIES, type Role } from '../../names.ts'
import { FIND_LOG_GROUPS } from '../identity/environment-logs.ts'
import type { Keys } from '../identity/keys.ts'
import { boundaryArn, policy, type Statement, trust } from '../identity/policy.ts'
import { reportLaunch } from '../identity/report-launch.ts'
import { SESSION_MANAGER } from '../identity/session-manager.ts'
import type { LogGroups } from '../observability/logs.ts'

interface Access {
  logs: LogGroups
  keys: Keys
  /** Only for the role that runs the API, which sets up the database role. */
  masterSecretArn?: string | undefined
}

/** Creates the IAM role and the instance profile of a host role. @returns the name of the instance profile */
export function createHostRole(scope: Construct, config: Config, role: Role, access: Access): string {
  const { hostRole } = namesOf(config.name)
  const iamRole = new IamRole(scope, `${role}-role`, {
    name: hostRole(role),
    assumeRolePolicy: trust('ec2.amazonaws.com', config.account.id),
    permissionsBoundary: boundaryArn(config.account.id, config.name),
  })
  const permissions = new IamRolePolicy(scope, `${role}-policy`, {
    role: iamRole.id,
    name: 'host',
    policy: policy(...statementsOf(config, role, access)),
  })
  return new IamInstanceProfile(scope, `${role}-profile`, {
    name: hostRole(role),
    role: iamRole.name,
    // Hosts refer to the profile, so they start only after their permissions exist.
    dependsOn: [permissions],
  }).name
}

function statementsOf(config: Config, role: Role, { logs, keys, masterSecretArn }: Access): Statement[] {
  const { region, id } = config.account
  const { metrics, paths } = namesOf(config.name)
  const parameter = (path: string) => `arn:aws:ssm:${region}:${id}:parameter${path}`
  const tree = (path: string) => [parameter(path), parameter(`${path}/*`)]
  return [
    ...SESSION_MANAGER,
    {
      Sid: 'Images',
      Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
    { Sid: 'ImagesLogin', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    {
      Sid: 'Logs',
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
      Resource: [logs.backend, logs.worker, logs.rollout, logs.host].map(({ arn }) => `${arn}:*`),
    },
    FIND_LOG_GROUPS,
    {
      Sid: 'Settings',
      Action: ['ssm:GetParametersByPath', 'ssm:GetParameter', 'ssm:GetParameters'],
      Resource: [
        ...[paths.role(role), paths.release].flatMap(tree),
        // Permission for a path includes everything below it, also the password of the database.
        ...(role === 'redis'
          ? REDIS_HOST_PARAMETERS.map((name) => parameter(`${paths.app}/${name}`))
          : tree(paths.app)),
      ],
    },
    { Sid: 'Ready', Action: 'ssm:PutParameter', Resource: parameter(`${paths.ready}/*`) },
    ...(role === 'worker' && config.workers.scaling ? [reportLaunch(config.account, config.name)] : []),
    {
      Sid: 'Metrics',
      Action: 'cloudwatch:PutMetricData',
      Resource: '*',
      Condition: { StringEquals: { 'cloudwatch:namespace': metrics } },
    },
    ...(masterSecretArn
      ? [{ Sid: 'MasterSecret', Action: 'secretsmanager:GetSecretValue', Resource: masterSecretArn }]
      : []),
    ...(keys.storage
      ? [
          {
            Sid: 'Decrypt',
            Action: 'kms:Decrypt',
            Resource: keys.storage,
            Condition: {
              StringEquals: {
                'kms:ViaService': [`ssm.${region}.amazonaws.com`, `secretsmanager.${region}.amazonaws.com`],
              },
            },
          },
        ]
      : []),
  ]
}

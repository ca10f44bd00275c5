// The permissions boundaries: the upper limit for all roles of an environment, regardless of their policies.
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js'
import type { Construct } from 'constructs'
import type { Account } from '../../config/schema.ts'
import { boundaryOf, type Environment, namesOf, REPOSITORIES, TAGS } from '../../names.ts'
import { FIND_LOG_GROUPS, logGroupArns } from './environment-logs.ts'
import { policy, type Statement } from './policy.ts'
import { reportLaunch } from './report-launch.ts'
import { SESSION_MANAGER } from './session-manager.ts'

export function createBoundary(scope: Construct, account: Account, environment: Environment): void {
  new IamPolicy(scope, `boundary-${environment}`, {
    name: boundaryOf(environment),
    description: `The most that a role of the environment ${environment} may do`,
    policy: policy(...statementsOf(account, environment)),
  })
}

function statementsOf(account: Account, environment: Environment): Statement[] {
  const { id, region } = account
  const { paths, database, metrics } = namesOf(environment)
  const parameter = (path: string) => `arn:aws:ssm:${region}:${id}:parameter${path}`
  const metricsOfHosts = `arn:aws:logs:${region}:${id}:log-group:RDSOSMetrics`
  return [
    ...SESSION_MANAGER,
    { Sid: 'Login', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    {
      Sid: 'Images',
      Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
    FIND_LOG_GROUPS,
    {
      Sid: 'Logs',
      Action: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
      Resource: logGroupArns(account, environment),
    },
    // The log group of enhanced monitoring has one name for all databases of the account.
    {
      Sid: 'DatabaseMonitoring',
      Action: [
        'logs:CreateLogGroup',
        'logs:CreateLogStream',
        'logs:DescribeLogStreams',
        'logs:GetLogEvents',
        'logs:PutLogEvents',
        'logs:PutRetentionPolicy',
      ],
      Resource: [metricsOfHosts, `${metricsOfHosts}:*`],
    },
    {
      Sid: 'Settings',
      Action: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:GetParametersByPath'],
      Resource: parameter(`${paths.root}/*`),
    },
    { Sid: 'Ready', Action: 'ssm:PutParameter', Resource: parameter(`${paths.ready}/*`) },
    reportLaunch(account, environment),
    {
      Sid: 'Metrics',
      Action: 'cloudwatch:PutMetricData',
      Resource: '*',
      Condition: { StringEquals: { 'cloudwatch:namespace': metrics } },
    },
    {
      // The names of these secrets are random. RDS sets this tag, and nothing else can change it.
      Sid: 'MasterSecret',
      Action: 'secretsmanager:GetSecretValue',
      Resource: `arn:aws:secretsmanager:${region}:${id}:secret:rds!db-*`,
      Condition: {
        StringLike: {
          'aws:ResourceTag/aws:rds:primaryDBInstanceArn': [database, `${database}-*`].map(
            (name) => `arn:aws:rds:${region}:${id}:db:${name}`,
          ),
        },
      },
    },
    {
      Sid: 'Decrypt',
      Action: 'kms:Decrypt',
      Resource: `arn:aws:kms:${region}:${id}:key/*`,
      Condition: {
        StringEquals: {
          'kms:ViaService': [`ssm.${region}.amazonaws.com`, `secretsmanager.${region}.amazonaws.com`],
        },
        // AWS-managed keys have no tags.
        StringEqualsIfExists: { [`aws:ResourceTag/${TAGS.environment}`]: environment },
      },
    },
  ]
}

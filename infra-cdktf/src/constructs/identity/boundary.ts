// The permissions boundary: the upper limit for all roles of environments, regardless of their policies.
import { IamPolicy } from '@cdktf/provider-aws/lib/iam-policy/index.js'
import type { Construct } from 'constructs'
import type { Account } from '../../config/schema.ts'
import { PROJECT, REPOSITORIES } from '../../names.ts'
import { policy } from './policy.ts'
import { SESSION_MANAGER } from './session-manager.ts'

export function createBoundary(scope: Construct, { id, region }: Account): void {
  new IamPolicy(scope, 'boundary', {
    name: 'waggle-boundary',
    description: 'The most that a role of an environment may do',
    policy: policy(
      ...SESSION_MANAGER,
      { Sid: 'Login', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
      {
        Sid: 'Images',
        Action: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
        Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
      },
      {
        Sid: 'Logs',
        Action: [
          'logs:CreateLogGroup',
          'logs:CreateLogStream',
          'logs:DescribeLogStreams',
          'logs:GetLogEvents',
          'logs:PutLogEvents',
          'logs:PutRetentionPolicy',
        ],
        Resource: `arn:aws:logs:${region}:${id}:log-group:*`,
      },
      {
        Sid: 'Settings',
        Action: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:GetParametersByPath', 'ssm:PutParameter'],
        Resource: `arn:aws:ssm:${region}:${id}:parameter/${PROJECT}/*`,
      },
      {
        Sid: 'Metrics',
        Action: 'cloudwatch:PutMetricData',
        Resource: '*',
        Condition: { StringEquals: { 'cloudwatch:namespace': 'Waggle' } },
      },
      {
        Sid: 'MasterSecret',
        Action: 'secretsmanager:GetSecretValue',
        Resource: `arn:aws:secretsmanager:${region}:${id}:secret:rds!db-*`,
      },
      {
        Sid: 'Decrypt',
        Action: 'kms:Decrypt',
        Resource: `arn:aws:kms:${region}:${id}:key/*`,
        Condition: {
          StringEquals: {
            'kms:ViaService': [`ssm.${region}.amazonaws.com`, `secretsmanager.${region}.amazonaws.com`],
          },
        },
      },
    ),
  })
}

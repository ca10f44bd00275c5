// Permissions of the workflow `plan`.
import type { Account } from '../../config/schema.ts'
import { type Environment, namesOf, PROJECT, stateBucketOf } from '../../names.ts'
import { parameterArn, settingArns } from '../identity/parameter-arns.ts'
import type { Statement } from '../identity/policy.ts'

/**
 * Statements that let Terraform read what it compares, in one environment or (`*`) in all. The managed policy
 * ReadOnlyAccess would let a pull request read every secret of the account. Here parameters are listed one by
 * one, and none of them is a secret.
 */
export function planStatements(account: Account, environment: Environment | '*'): Statement[] {
  const { id, region } = account
  const prefix = environment === '*' ? PROJECT : namesOf(environment).prefix
  const bucket = `arn:aws:s3:::${stateBucketOf(id, region)}`
  return [
    {
      Sid: 'Describe',
      Action: [
        'acm:DescribeCertificate',
        'acm:ListTagsForCertificate',
        'autoscaling:Describe*',
        'cloudwatch:DescribeAlarms',
        'cloudwatch:GetDashboard',
        'cloudwatch:ListTagsForResource',
        'ec2:Describe*',
        'ecr:DescribeRepositories',
        'ecr:GetLifecyclePolicy',
        'ecr:ListTagsForResource',
        'elasticache:Describe*',
        'elasticache:ListTagsForResource',
        'elasticloadbalancing:Describe*',
        'kms:ListAliases',
        'logs:DescribeLogGroups',
        'logs:DescribeMetricFilters',
        'logs:ListTagsForResource',
        'rds:Describe*',
        'rds:ListTagsForResource',
        'ssm:DescribeParameters',
        'sts:GetCallerIdentity',
      ],
      Resource: '*',
    },
    {
      Sid: 'Roles',
      Action: [
        'iam:GetInstanceProfile',
        'iam:GetRole',
        'iam:GetRolePolicy',
        'iam:ListAttachedRolePolicies',
        'iam:ListInstanceProfilesForRole',
        'iam:ListRolePolicies',
      ],
      Resource: [`arn:aws:iam::${id}:role/${prefix}-*`, `arn:aws:iam::${id}:instance-profile/${prefix}-*`],
    },
    {
      Sid: 'Keys',
      Action: ['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:GetKeyRotationStatus', 'kms:ListResourceTags'],
      Resource: `arn:aws:kms:${region}:${id}:key/*`,
    },
    {
      Sid: 'Topics',
      Action: ['sns:GetTopicAttributes', 'sns:GetSubscriptionAttributes', 'sns:ListTagsForResource'],
      Resource: `arn:aws:sns:${region}:${id}:${prefix}-*`,
    },
    {
      Sid: 'Zones',
      Action: ['route53:GetHostedZone', 'route53:ListResourceRecordSets', 'route53:ListTagsForResource'],
      Resource: 'arn:aws:route53:::hostedzone/*',
    },
    {
      Sid: 'Documents',
      Action: [
        'ssm:DescribeDocument',
        'ssm:GetDocument',
        'ssm:DescribeDocumentPermission',
        'ssm:ListTagsForResource',
      ],
      Resource: `arn:aws:ssm:${region}:${id}:document/${prefix}-*`,
    },
    {
      Sid: 'Settings',
      Action: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:ListTagsForResource'],
      Resource: [
        ...settingArns(account, environment),
        parameterArn(account, environment, 'release/*'),
        `arn:aws:ssm:${region}::parameter/aws/service/canonical/ubuntu/*`,
      ],
    },
    {
      Sid: 'State',
      Action: 's3:GetObject',
      Resource: `${bucket}/${environment === '*' ? '' : `${environment}/`}*`,
    },
    { Sid: 'StateBucket', Action: 's3:ListBucket', Resource: bucket },
  ]
}

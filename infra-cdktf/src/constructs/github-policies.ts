// What the workflows `plan` and `build` may do.
import type { Account } from '../config/schema.ts'
import { APP_PARAMETERS, PROJECT, REPOSITORIES, ROLE_PARAMETERS, stateBucketOf } from '../names.ts'
import type { Statement } from './policy.ts'

/**
 * Reading what Terraform compares. ReadOnlyAccess would show a pull request every secret of the account; here
 * parameters are named one by one, and none of them is a secret.
 */
export function planning(account: Account): Statement[] {
  const { id, region } = account
  const parameter = (path: string) => `arn:aws:ssm:${region}:${id}:parameter/${PROJECT}/*/${path}`
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
      Resource: [`arn:aws:iam::${id}:role/${PROJECT}-*`, `arn:aws:iam::${id}:instance-profile/${PROJECT}-*`],
    },
    {
      Sid: 'Keys',
      Action: ['kms:DescribeKey', 'kms:GetKeyPolicy', 'kms:GetKeyRotationStatus', 'kms:ListResourceTags'],
      Resource: `arn:aws:kms:${region}:${id}:key/*`,
    },
    {
      Sid: 'Topics',
      Action: ['sns:GetTopicAttributes', 'sns:GetSubscriptionAttributes', 'sns:ListTagsForResource'],
      Resource: `arn:aws:sns:${region}:${id}:${PROJECT}-*`,
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
      Resource: `arn:aws:ssm:${region}:${id}:document/${PROJECT}-*`,
    },
    {
      Sid: 'Settings',
      Action: ['ssm:GetParameter', 'ssm:GetParameters', 'ssm:ListTagsForResource'],
      Resource: [
        ...settingArns(account),
        parameter('release/*'),
        `arn:aws:ssm:${region}::parameter/aws/service/canonical/ubuntu/*`,
      ],
    },
    { Sid: 'State', Action: 's3:GetObject', Resource: `${bucket}/*` },
    { Sid: 'StateBucket', Action: 's3:ListBucket', Resource: bucket },
  ]
}

/** What Terraform sets for hosts, name by name: secrets stand in the same folders. */
export function settingArns({ id, region }: Account): string[] {
  const parameter = (path: string) => `arn:aws:ssm:${region}:${id}:parameter/${PROJECT}/*/${path}`
  return [
    ...APP_PARAMETERS.map((name) => parameter(`app/${name}`)),
    ...ROLE_PARAMETERS.map((name) => parameter(`role/*/${name}`)),
  ]
}

/** Pushing images, under tags that are not there yet. */
export function building({ id, region }: Account): Statement[] {
  return [
    { Sid: 'Login', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    {
      Sid: 'Push',
      Action: [
        'ecr:BatchCheckLayerAvailability',
        'ecr:BatchGetImage',
        'ecr:CompleteLayerUpload',
        'ecr:DescribeImages',
        'ecr:DescribeImageScanFindings',
        'ecr:GetDownloadUrlForLayer',
        'ecr:InitiateLayerUpload',
        'ecr:PutImage',
        'ecr:UploadLayerPart',
      ],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
  ]
}

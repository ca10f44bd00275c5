// The KMS key of an environment. The alarm topic always needs it: CloudWatch cannot use the AWS-managed key
// of SNS, and its messages would be lost without an error. With kms "cmk" it also encrypts all stored data.
import { KmsAlias } from '@cdktf/provider-aws/lib/kms-alias/index.js'
import { KmsKey } from '@cdktf/provider-aws/lib/kms-key/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf } from '../../names.ts'
import { policy } from './policy.ts'

export interface Keys {
  topic: string
  /** Undefined selects the AWS-managed keys, which are free. */
  storage: string | undefined
}

export function createKeys(scope: Construct, { name, kms, account }: Config): Keys {
  const { prefix, keyAlias } = namesOf(name)
  const use = ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:ReEncrypt*', 'kms:DescribeKey']
  const key = new KmsKey(scope, 'key', {
    description: `${prefix}: alarms${kms === 'cmk' ? ', and all that is stored' : ''}`,
    enableKeyRotation: true,
    policy: policy(
      {
        Sid: 'Account',
        Action: 'kms:*',
        Resource: '*',
        Principal: { AWS: `arn:aws:iam::${account.id}:root` },
      },
      {
        Sid: 'Alarms',
        Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        Resource: '*',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Condition: { StringEquals: { 'aws:SourceAccount': account.id } },
      },
      ...(kms === 'cmk'
        ? [
            {
              Sid: 'Logs',
              Action: use,
              Resource: '*',
              Principal: { Service: `logs.${account.region}.amazonaws.com` },
              Condition: {
                ArnLike: {
                  'kms:EncryptionContext:aws:logs:arn': `arn:aws:logs:${account.region}:${account.id}:log-group:*`,
                },
              },
            },
            {
              Sid: 'AutoScaling',
              Action: [...use, 'kms:CreateGrant'],
              Resource: '*',
              // As a condition, because KMS rejects a principal that does not exist: AWS creates this role
              // with the first auto scaling group of the account.
              Principal: { AWS: '*' },
              Condition: {
                StringEquals: { 'kms:CallerAccount': account.id },
                ArnEquals: {
                  'aws:PrincipalArn': `arn:aws:iam::${account.id}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling`,
                },
              },
            },
          ]
        : []),
    ),
    tags: { Name: prefix },
  })
  new KmsAlias(scope, 'key-alias', { name: keyAlias, targetKeyId: key.keyId })
  return { topic: key.arn, storage: kms === 'cmk' ? key.arn : undefined }
}

// The bucket of the Terraform state. If the state is lost, every resource must be imported again by hand.
import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket/index.js'
import { S3BucketLifecycleConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js'
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy/index.js'
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js'
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js'
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning/index.js'
import type { Construct } from 'constructs'
import type { Account } from '../../config/schema.ts'
import { stateBucketOf } from '../../names.ts'
import { policy } from '../identity/policy.ts'

export function createStateBucket(scope: Construct, { id, region }: Account): void {
  const bucket = new S3Bucket(scope, 'state', {
    bucket: stateBucketOf(id, region),
    lifecycle: { preventDestroy: true },
  })
  const closed = new S3BucketPublicAccessBlock(scope, 'state-is-private', {
    bucket: bucket.id,
    blockPublicAcls: true,
    blockPublicPolicy: true,
    ignorePublicAcls: true,
    restrictPublicBuckets: true,
  })
  const versions = new S3BucketVersioningA(scope, 'state-versions', {
    bucket: bucket.id,
    versioningConfiguration: { status: 'Enabled' },
  })
  new S3BucketServerSideEncryptionConfigurationA(scope, 'state-encryption', {
    bucket: bucket.id,
    rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }],
  })
  new S3BucketLifecycleConfiguration(scope, 'state-lifecycle', {
    bucket: bucket.id,
    rule: [
      {
        id: 'old-versions',
        status: 'Enabled',
        filter: [{ prefix: '' }],
        noncurrentVersionExpiration: [{ noncurrentDays: 180 }],
        abortIncompleteMultipartUpload: [{ daysAfterInitiation: 7 }],
      },
    ],
    dependsOn: [versions],
  })
  new S3BucketPolicy(scope, 'state-policy', {
    bucket: bucket.id,
    policy: policy({
      Sid: 'OnlyOverTls',
      Effect: 'Deny',
      Action: 's3:*',
      Principal: '*',
      Resource: [bucket.arn, `${bucket.arn}/*`],
      Condition: { Bool: { 'aws:SecureTransport': 'false' } },
    }),
    dependsOn: [closed],
  })
}

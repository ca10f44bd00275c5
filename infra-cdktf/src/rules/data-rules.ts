// Rules for what holds data: the database, the state bucket, images, and the topic of the alarms.
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, isReferredToBy, isTrue, policiesIn, resourcesIn, type Values } from './stack.ts'

export const dataRules: Rule[] = [
  {
    name: 'the database is in the data subnets and has no public address',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_db_instance'),
        ({ publicly_accessible, db_subnet_group_name }) =>
          publicly_accessible !== true && Boolean(db_subnet_group_name),
      ),
      ...unless(resourcesIn(stack, 'aws_db_subnet_group'), ({ subnet_ids }) =>
        each(subnet_ids).every((id) => String(id).includes('aws_subnet.data-')),
      ),
    ],
  },
  {
    name: 'the database has a final snapshot, and in production deletion protection and 7 days of backups',
    find: (stack, { name }) =>
      unless(
        resourcesIn(stack, 'aws_db_instance'),
        ({ deletion_protection, skip_final_snapshot, backup_retention_period }) =>
          skip_final_snapshot !== true &&
          (name !== 'prod' || (deletion_protection === true && backup_retention_period >= 7)),
      ),
  },
  {
    name: 'the database accepts only TLS connections',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_db_parameter_group'),
        (values) => parameter(values, 'rds.force_ssl') === '1',
      ),
      ...unless(resourcesIn(stack, 'aws_db_instance'), ({ parameter_group_name }) =>
        String(parameter_group_name).includes('aws_db_parameter_group.'),
      ),
    ],
  },
  {
    name: 'RDS manages the master password',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_db_instance'),
        ({ manage_master_user_password, password, password_wo }) =>
          manage_master_user_password === true && password === undefined && password_wo === undefined,
      ),
  },
  {
    name: 'the topic of the alarms is encrypted with the key of the environment and is not public',
    find: (stack) => [
      // CloudWatch cannot use the AWS-managed key of SNS: its messages would be lost without an error.
      ...unless(resourcesIn(stack, 'aws_sns_topic'), ({ kms_master_key_id = '' }) =>
        kms_master_key_id.includes('aws_kms_key.'),
      ),
      ...policiesIn(stack, 'resource')
        .filter(({ address, statements }) => address.startsWith('aws_sns') && statements.some(isPublic))
        .map(({ address }) => address),
    ],
  },
  {
    name: 'alarms have an action and define how missing data is treated',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_cloudwatch_metric_alarm'),
        ({ actions_enabled, alarm_actions = [], treat_missing_data }) =>
          actions_enabled !== false && alarm_actions.length > 0 && Boolean(treat_missing_data),
      ),
  },
  {
    name: 'every image repository has a lifecycle policy',
    find: (stack) =>
      resourcesIn(stack, 'aws_ecr_repository')
        .filter(({ address }) => !isReferredToBy(stack, address, 'aws_ecr_lifecycle_policy'))
        .map(({ address }) => address),
  },
  {
    name: 'the state bucket is private, encrypted, versioned, TLS-only and protected from destruction',
    find: (stack) =>
      resourcesIn(stack, 'aws_s3_bucket').flatMap(({ address, values }) => {
        const of = (type: string) =>
          resourcesIn(stack, type).filter(({ values }) => values.bucket === `\${${address}.id}`)
        const checks: Record<string, boolean> = {
          private: of('aws_s3_bucket_public_access_block').some(({ values }) =>
            [
              'block_public_acls',
              'block_public_policy',
              'ignore_public_acls',
              'restrict_public_buckets',
            ].every((name) => isTrue(values[name])),
          ),
          versions: of('aws_s3_bucket_versioning').some(
            ({ values }) => each(values.versioning_configuration)[0]?.status === 'Enabled',
          ),
          encryption: of('aws_s3_bucket_server_side_encryption_configuration').length > 0,
          'TLS only': of('aws_s3_bucket_policy').some(({ values }) =>
            values.policy.includes('aws:SecureTransport'),
          ),
          prevent_destroy: each(values.lifecycle)[0]?.prevent_destroy === true,
        }
        return Object.entries(checks)
          .filter(([, isRight]) => !isRight)
          .map(([check]) => `${address}: ${check}`)
      }),
  },
]

const parameter = (values: Values, wanted: string) =>
  each(values.parameter).find(({ name }) => name === wanted)?.value

const isPublic = ({ principals, effect }: { principals: string[]; effect: string }) =>
  effect === 'Allow' && principals.some((principal) => principal === '*' || principal.endsWith(': *'))

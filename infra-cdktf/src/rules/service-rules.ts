// Images, logs, alarms, the balancer, the cache, the state.
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, isReferredToBy, isTrue, policiesIn, type Resource, resourcesIn, type Stack } from './stack.ts'

export const imageRules: Rule[] = [
  {
    name: 'images are looked through when they arrive',
    ids: 'CKV_AWS_163, AWS-0030',
    find: (stack) =>
      unless(resourcesIn(stack, 'aws_ecr_repository'), ({ image_scanning_configuration }) =>
        each(image_scanning_configuration).some(({ scan_on_push }) => scan_on_push === true),
      ),
  },
  {
    name: 'a tag is never written twice',
    ids: 'CKV_AWS_51, AWS-0031',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_ecr_repository'),
        ({ image_tag_mutability }) => image_tag_mutability === 'IMMUTABLE',
      ),
  },
  {
    name: 'images are for us only, and old ones go',
    ids: 'CKV_AWS_32, AWS-0032, ours',
    find: (stack) => [
      ...policiesIn(stack, 'resource')
        .filter(({ address, text }) => address.startsWith('aws_ecr') && text.includes('"*"'))
        .map(({ address }) => address),
      ...resourcesIn(stack, 'aws_ecr_repository')
        .filter(({ address }) => !isReferredToBy(stack, address, 'aws_ecr_lifecycle_policy'))
        .map(({ address }) => `${address} without a lifecycle`),
    ],
  },
]

export const watchingRules: Rule[] = [
  {
    name: 'logs end some day',
    ids: 'CKV_AWS_66 (CKV_AWS_338 wants a year: logs.retentionDays may say so)',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_cloudwatch_log_group'),
        ({ retention_in_days }) => retention_in_days > 0,
      ),
  },
  {
    name: 'alarms call somebody, and say what silence means',
    ids: 'CKV_AWS_319, ours',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_cloudwatch_metric_alarm'),
        ({ actions_enabled, alarm_actions = [], treat_missing_data }) =>
          actions_enabled !== false && alarm_actions.length > 0 && Boolean(treat_missing_data),
      ),
  },
  {
    name: 'topics are encrypted with a key that CloudWatch may use, and not everybody writes to them',
    ids: 'CKV_AWS_26, CKV_AWS_169, AWS-0095',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_sns_topic'),
        ({ kms_master_key_id = '' }) =>
          kms_master_key_id !== '' && !kms_master_key_id.startsWith('alias/aws/'),
      ),
      ...policiesIn(stack, 'resource')
        .filter(({ address, statements }) => address.startsWith('aws_sns') && statements.some(isForEverybody))
        .map(({ address }) => address),
    ],
  },
]

const isForEverybody = ({ principals, effect }: { principals: string[]; effect: string }) =>
  effect === 'Allow' && principals.some((principal) => principal === '*' || principal.endsWith(': *'))

/** Addresses with what is not right about them. */
function faults(
  stack: Stack,
  type: string,
  checks: Record<string, (values: Resource['values']) => boolean>,
): string[] {
  return resourcesIn(stack, type).flatMap(({ address, values }) =>
    Object.entries(checks)
      .filter(([, isRight]) => !isRight(values))
      .map(([what]) => `${address}: ${what}`),
  )
}

export const balancerRules: Rule[] = [
  {
    name: 'the balancer speaks TLS 1.2 or newer, sends HTTP there, and asks who is well',
    ids: 'CKV_AWS_2, 103, 131, 150, 328, 261, CKV2_AWS_20, AWS-0052, AWS-0047 (CKV_AWS_91: nginx logs every request)',
    find: (stack, { name }) => [
      ...faults(stack, 'aws_lb', {
        'drops invalid headers': ({ drop_invalid_header_fields }) => drop_invalid_header_fields === true,
        'mitigates desync': ({ desync_mitigation_mode = 'defensive' }) =>
          desync_mitigation_mode !== 'monitor',
        'cannot be deleted in production': ({ enable_deletion_protection }) =>
          name !== 'prod' || enable_deletion_protection === true,
      }),
      ...faults(stack, 'aws_lb_listener', {
        'TLS, or sends there': ({ protocol, ssl_policy = '', default_action }) =>
          protocol === 'HTTPS'
            ? ssl_policy.startsWith('ELBSecurityPolicy-TLS13-1-2')
            : each(default_action).every(({ redirect }) => each(redirect)[0]?.protocol === 'HTTPS'),
      }),
      ...faults(stack, 'aws_lb_target_group', {
        'health check': ({ health_check }) => each(health_check).some(({ path }) => path === '/health'),
      }),
    ],
  },
]

export const cacheRules: Rule[] = [
  {
    name: 'the cache is encrypted, asks for a password, is kept, and has a second where availability is high',
    ids: 'CKV_AWS_29, 30, 31, 134, CKV2_AWS_50, AWS-0045, AWS-0050, AWS-0051',
    find: (stack, { availability }) =>
      faults(stack, 'aws_elasticache_replication_group', {
        'at rest': ({ at_rest_encryption_enabled }) => isTrue(at_rest_encryption_enabled),
        'in transit': ({ transit_encryption_enabled, transit_encryption_mode = 'required' }) =>
          isTrue(transit_encryption_enabled) && transit_encryption_mode === 'required',
        users: ({ user_group_ids = [] }) => user_group_ids.length > 0,
        snapshots: ({ snapshot_retention_limit }) => snapshot_retention_limit > 0,
        second: ({ automatic_failover_enabled, multi_az_enabled, num_cache_clusters }) =>
          availability !== 'high' ||
          (automatic_failover_enabled === true && multi_az_enabled === true && num_cache_clusters > 1),
      }),
  },
]

export const stateRules: Rule[] = [
  {
    name: 'the state is private, encrypted, kept in versions, over TLS only, and cannot be destroyed',
    ids: 'AWS-0086, 0087, 0090, 0091, 0093',
    find: (stack) =>
      resourcesIn(stack, 'aws_s3_bucket').flatMap(({ address, values }) => {
        const of = (type: string) =>
          resourcesIn(stack, type).filter((one) => one.values.bucket === `\${${address}.id}`)
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
          .map(([what]) => `${address}: ${what}`)
      }),
  },
]

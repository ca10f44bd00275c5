// Rules for images, logs, alarms, the load balancer, the cache and the state bucket.
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, isReferredToBy, isTrue, policiesIn, type Resource, resourcesIn, type Stack } from './stack.ts'

export const imageRules: Rule[] = [
  {
    name: 'images are scanned when they are pushed',
    ids: 'CKV_AWS_163, AWS-0030',
    find: (stack) =>
      unless(resourcesIn(stack, 'aws_ecr_repository'), ({ image_scanning_configuration }) =>
        each(image_scanning_configuration).some(({ scan_on_push }) => scan_on_push === true),
      ),
  },
  {
    name: 'image tags are immutable',
    ids: 'CKV_AWS_51, AWS-0031',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_ecr_repository'),
        ({ image_tag_mutability }) => image_tag_mutability === 'IMMUTABLE',
      ),
  },
  {
    name: 'image repositories are private and have a lifecycle policy',
    ids: 'CKV_AWS_32, AWS-0032; stricter',
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
    name: 'log groups have a retention period',
    ids: 'CKV_AWS_66 (CKV_AWS_338 requires a year, which logs.retentionDays can set)',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_cloudwatch_log_group'),
        ({ retention_in_days }) => retention_in_days > 0,
      ),
  },
  {
    name: 'alarms have an action and define how missing data is treated',
    ids: 'CKV_AWS_319; stricter',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_cloudwatch_metric_alarm'),
        ({ actions_enabled, alarm_actions = [], treat_missing_data }) =>
          actions_enabled !== false && alarm_actions.length > 0 && Boolean(treat_missing_data),
      ),
  },
  {
    name: 'topics are encrypted with a customer-managed key and are not public',
    ids: 'CKV_AWS_26, CKV_AWS_169, AWS-0095',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_sns_topic'),
        ({ kms_master_key_id = '' }) =>
          kms_master_key_id !== '' && !kms_master_key_id.startsWith('alias/aws/'),
      ),
      ...policiesIn(stack, 'resource')
        .filter(({ address, statements }) => address.startsWith('aws_sns') && statements.some(isPublic))
        .map(({ address }) => address),
    ],
  },
]

const isPublic = ({ principals, effect }: { principals: string[]; effect: string }) =>
  effect === 'Allow' && principals.some((principal) => principal === '*' || principal.endsWith(': *'))

/** Returns address and name of every failed check, for all resources of a type. */
function faults(
  stack: Stack,
  type: string,
  checks: Record<string, (values: Resource['values']) => boolean>,
): string[] {
  return resourcesIn(stack, type).flatMap(({ address, values }) =>
    Object.entries(checks)
      .filter(([, isRight]) => !isRight(values))
      .map(([check]) => `${address}: ${check}`),
  )
}

export const balancerRules: Rule[] = [
  {
    name: 'the load balancer uses TLS 1.2 or newer, redirects HTTP, and checks the health of its targets',
    ids: 'CKV_AWS_2, 103, 131, 150, 328, 261, CKV2_AWS_20, AWS-0052, AWS-0047 (not CKV_AWS_91, access logs: nginx logs every request)',
    find: (stack, { name }) => [
      ...faults(stack, 'aws_lb', {
        'drops invalid headers': ({ drop_invalid_header_fields }) => drop_invalid_header_fields === true,
        'mitigates desync': ({ desync_mitigation_mode = 'defensive' }) =>
          desync_mitigation_mode !== 'monitor',
        'cannot be deleted in production': ({ enable_deletion_protection }) =>
          name !== 'prod' || enable_deletion_protection === true,
      }),
      ...faults(stack, 'aws_lb_listener', {
        'TLS, or a redirect to HTTPS': ({ protocol, ssl_policy = '', default_action }) =>
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
    name: 'the cache is encrypted, has users and snapshots, and has a replica with high availability',
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
    name: 'the state bucket is private, encrypted, versioned, TLS-only and protected from destruction',
    ids: 'AWS-0086, 0087, 0090, 0091, 0093',
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

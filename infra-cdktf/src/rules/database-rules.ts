// The database.
import type { Config } from '../config/schema.ts'
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, resourcesIn, type Values } from './stack.ts'

/** A rule about every instance. */
const rule = (name: string, ids: string, isRight: (values: Values, config: Config) => boolean): Rule => ({
  name,
  ids,
  find: (stack, config) => unless(resourcesIn(stack, 'aws_db_instance'), (values) => isRight(values, config)),
})

export const databaseRules: Rule[] = [
  rule(
    'the database is encrypted',
    'CKV_AWS_16, AWS-0080',
    ({ storage_encrypted }) => storage_encrypted === true,
  ),
  {
    name: 'the database is in subnets from which nothing leads out, and has no public address',
    ids: 'CKV_AWS_17, AWS-0180',
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
  rule(
    'the database is backed up, a week back in production',
    'CKV_AWS_133, AWS-0077',
    ({ backup_retention_period }, { name }) => backup_retention_period >= (name === 'prod' ? 7 : 1),
  ),
  rule(
    'the database cannot be deleted in production, and nowhere without a last snapshot',
    'CKV_AWS_293, AWS-0177',
    ({ deletion_protection, skip_final_snapshot }, { name }) =>
      skip_final_snapshot !== true && (name !== 'prod' || deletion_protection === true),
  ),
  rule(
    'the database has a second where availability is high',
    'CKV_AWS_157',
    ({ multi_az }, { availability }) => availability !== 'high' || multi_az === true,
  ),
  rule(
    'the database takes minor versions by itself',
    'CKV_AWS_226',
    ({ auto_minor_version_upgrade }) => auto_minor_version_upgrade === true,
  ),
  rule(
    'snapshots have the tags of their database',
    'CKV2_AWS_60',
    ({ copy_tags_to_snapshot }) => copy_tags_to_snapshot === true,
  ),
  {
    name: 'the database tells what it logs, and logs what is slow',
    ids: 'CKV_AWS_129, CKV2_AWS_30',
    find: (stack) => [
      ...unless(resourcesIn(stack, 'aws_db_instance'), ({ enabled_cloudwatch_logs_exports: logs = [] }) =>
        ['postgresql', 'upgrade'].every((log) => logs.includes(log)),
      ),
      ...unless(
        resourcesIn(stack, 'aws_db_parameter_group'),
        (values) =>
          Boolean(parameter(values, 'log_statement')) &&
          Boolean(parameter(values, 'log_min_duration_statement')),
      ),
    ],
  },
  {
    name: 'the database takes TLS only',
    ids: 'CKV2_AWS_69',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_db_parameter_group'),
        (values) => parameter(values, 'rds.force_ssl') === '1',
      ),
      ...unless(resourcesIn(stack, 'aws_db_instance'), ({ parameter_group_name }) =>
        Boolean(parameter_group_name),
      ),
    ],
  },
  rule(
    'the certificate of the database is of an authority of today',
    'CKV_AWS_211',
    ({ ca_cert_identifier }) =>
      ['rds-ca-rsa2048-g1', 'rds-ca-rsa4096-g1', 'rds-ca-ecc384-g1'].includes(ca_cert_identifier),
  ),
  rule(
    'the database is watched closely in production',
    'CKV_AWS_353, CKV_AWS_118, AWS-0133',
    ({ performance_insights_enabled, monitoring_interval }, { name, database }) =>
      name !== 'prod' ||
      database.detailedMonitoring === false ||
      (performance_insights_enabled === true && monitoring_interval > 0),
  ),
  rule(
    'people may log in to the database by IAM',
    'CKV_AWS_161, AWS-0176',
    ({ iam_database_authentication_enabled }) => iam_database_authentication_enabled === true,
  ),
  rule(
    'nobody knows the password of the master',
    'ours',
    ({ manage_master_user_password, password, password_wo }) =>
      manage_master_user_password === true && password === undefined && password_wo === undefined,
  ),
]

const parameter = (values: Values, wanted: string) =>
  each(values.parameter).find(({ name }) => name === wanted)?.value

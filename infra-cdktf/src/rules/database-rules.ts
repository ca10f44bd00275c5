// Rules for the database.
import type { Config } from '../config/schema.ts'
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, resourcesIn, type Values } from './stack.ts'

/** Creates a rule with a condition for every database instance. */
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
    name: 'the database is in the data subnets and has no public address',
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
    'the database has backups, of at least 7 days in production',
    'CKV_AWS_133, AWS-0077',
    ({ backup_retention_period }, { name }) => backup_retention_period >= (name === 'prod' ? 7 : 1),
  ),
  rule(
    'the database has a final snapshot, and deletion protection in production',
    'CKV_AWS_293, AWS-0177',
    ({ deletion_protection, skip_final_snapshot }, { name }) =>
      skip_final_snapshot !== true && (name !== 'prod' || deletion_protection === true),
  ),
  rule(
    'the database is in two zones with high availability',
    'CKV_AWS_157',
    ({ multi_az }, { availability }) => availability !== 'high' || multi_az === true,
  ),
  rule(
    'the database installs minor versions automatically',
    'CKV_AWS_226',
    ({ auto_minor_version_upgrade }) => auto_minor_version_upgrade === true,
  ),
  rule(
    'snapshots have the tags of their database',
    'CKV2_AWS_60',
    ({ copy_tags_to_snapshot }) => copy_tags_to_snapshot === true,
  ),
  {
    name: 'the database exports its logs, and logs DDL and slow statements',
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
    name: 'the database accepts only TLS connections',
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
    'the certificate of the database is from a current authority',
    'CKV_AWS_211',
    ({ ca_cert_identifier }) =>
      ['rds-ca-rsa2048-g1', 'rds-ca-rsa4096-g1', 'rds-ca-ecc384-g1'].includes(ca_cert_identifier),
  ),
  rule(
    'the database has detailed monitoring in production',
    'CKV_AWS_353, CKV_AWS_118, AWS-0133',
    ({ performance_insights_enabled, monitoring_interval }, { name, database }) =>
      name !== 'prod' ||
      database.detailedMonitoring === false ||
      (performance_insights_enabled === true && monitoring_interval > 0),
  ),
  rule(
    'the database allows IAM authentication',
    'CKV_AWS_161, AWS-0176',
    ({ iam_database_authentication_enabled }) => iam_database_authentication_enabled === true,
  ),
  rule(
    'RDS manages the master password',
    'no equivalent',
    ({ manage_master_user_password, password, password_wo }) =>
      manage_master_user_password === true && password === undefined && password_wo === undefined,
  ),
]

const parameter = (values: Values, wanted: string) =>
  each(values.parameter).find(({ name }) => name === wanted)?.value

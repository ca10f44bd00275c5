// The role that deploys to an environment may change every resource of its stack, in every layout.
import { describe, expect, test } from 'vitest'
import { ENVIRONMENTS } from '../src/names.ts'
import { account, type Json, LAYOUTS } from './support/layouts.ts'
import { type Context, mayDeploy, settingTagsOf, stacksOf } from './support/permissions.ts'

type Request = [action: string, resource: string, context?: Context]

const { id, region } = account
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${id}:${rest}`

/**
 * One request for a resource whose name decides, by its type. Names of AWS in references are not known here.
 */
const BY_NAME: Record<string, (values: Json) => Request> = {
  aws_autoscaling_group: ({ name }) => [
    'autoscaling:CreateAutoScalingGroup',
    arn('autoscaling', `autoScalingGroup:1:autoScalingGroupName/${name}`),
    { 'autoscaling:LaunchTemplateVersionSpecified': 'true' },
  ],
  aws_cloudwatch_dashboard: ({ dashboard_name: name }) => [
    'cloudwatch:PutDashboard',
    `arn:aws:cloudwatch::${id}:dashboard/${name}`,
  ],
  aws_cloudwatch_log_group: ({ name }) => ['logs:CreateLogGroup', arn('logs', `log-group:${name}`)],
  aws_cloudwatch_metric_alarm: ({ alarm_name: name, alarm_actions: actions }) => [
    'cloudwatch:PutMetricAlarm',
    arn('cloudwatch', `alarm:${name}`),
    { 'cloudwatch:AlarmActions': actions.filter((action: string) => action.startsWith('arn:')) },
  ],
  aws_db_instance: ({ identifier }) => ['rds:CreateDBInstance', arn('rds', `db:${identifier}`)],
  aws_db_parameter_group: ({ name_prefix: prefix }) => [
    'rds:CreateDBParameterGroup',
    arn('rds', `pg:${prefix}1`),
  ],
  aws_db_subnet_group: ({ name }) => ['rds:CreateDBSubnetGroup', arn('rds', `subgrp:${name}`)],
  aws_elasticache_parameter_group: ({ name }) => [
    'elasticache:CreateCacheParameterGroup',
    arn('elasticache', `parametergroup:${name}`),
  ],
  aws_elasticache_replication_group: ({ replication_group_id: name }) => [
    'elasticache:CreateReplicationGroup',
    arn('elasticache', `replicationgroup:${name}`),
  ],
  aws_elasticache_subnet_group: ({ name }) => [
    'elasticache:CreateCacheSubnetGroup',
    arn('elasticache', `subnetgroup:${name}`),
  ],
  aws_elasticache_user: ({ user_id: name }) => ['elasticache:CreateUser', arn('elasticache', `user:${name}`)],
  aws_elasticache_user_group: ({ user_group_id: name }) => [
    'elasticache:CreateUserGroup',
    arn('elasticache', `usergroup:${name}`),
  ],
  aws_iam_instance_profile: ({ name }) => [
    'iam:CreateInstanceProfile',
    `arn:aws:iam::${id}:instance-profile/${name}`,
  ],
  aws_iam_role: ({ name, permissions_boundary: boundary }) => [
    'iam:CreateRole',
    `arn:aws:iam::${id}:role/${name}`,
    { 'iam:PermissionsBoundary': boundary },
  ],
  aws_kms_alias: ({ name }) => ['kms:CreateAlias', arn('kms', name)],
  aws_lb: ({ name }) => [
    'elasticloadbalancing:CreateLoadBalancer',
    arn('elasticloadbalancing', `loadbalancer/app/${name}/1`),
  ],
  aws_lb_target_group: ({ name }) => [
    'elasticloadbalancing:CreateTargetGroup',
    arn('elasticloadbalancing', `targetgroup/${name}/1`),
  ],
  aws_sns_topic: ({ name }) => ['sns:CreateTopic', arn('sns', name)],
  aws_ssm_document: ({ name }) => ['ssm:CreateDocument', arn('ssm', `document/${name}`)],
  aws_ssm_parameter: ({ name }) => ['ssm:PutParameter', arn('ssm', `parameter${name}`)],
}

/** Types of resources whose tags decide, or that are part of a resource of another type. */
const BY_TAG = [
  'aws_acm_certificate',
  'aws_default_security_group',
  'aws_ebs_volume',
  'aws_ec2_tag',
  'aws_eip',
  'aws_flow_log',
  'aws_instance',
  'aws_internet_gateway',
  'aws_kms_key',
  'aws_launch_template',
  'aws_nat_gateway',
  'aws_route',
  'aws_route_table',
  'aws_route_table_association',
  'aws_security_group',
  'aws_subnet',
  'aws_volume_attachment',
  'aws_vpc',
  'aws_vpc_endpoint',
  'aws_vpc_security_group_egress_rule',
  'aws_vpc_security_group_ingress_rule',
]
const PARTS = [
  'aws_acm_certificate_validation',
  'aws_autoscaling_policy',
  'aws_cloudwatch_log_metric_filter',
  'aws_iam_role_policy',
  'aws_lb_listener',
  'aws_lb_target_group_attachment',
  'aws_sns_topic_policy',
  'aws_sns_topic_subscription',
]

describe.each(ENVIRONMENTS)('%s', (environment) => {
  test.each(LAYOUTS)('as %s: every resource can be created', async (layout) => {
    const { resource, provider } = stacksOf(environment, layout).environment
    // These tags are added to every resource.
    expect(provider.aws[0].default_tags[0].tags).toMatchObject({
      Project: 'waggle',
      Environment: environment,
    })
    const denied: string[] = []
    // `terraform_data` exists in the state of Terraform only.
    const { terraform_data: _, ...created } = resource
    for (const [type, byId] of Object.entries<Json>(created)) {
      const requestOf = BY_NAME[type]
      if (requestOf)
        for (const [address, values] of Object.entries(byId)) {
          const request = requestOf(values)
          if (!(await mayDeploy(environment, ...request))) denied.push(`${type}.${address}: ${request[0]}`)
        }
      else if (!['aws_route53_zone', 'aws_route53_record', ...BY_TAG, ...PARTS].includes(type))
        denied.push(`${type}: this test does not know whether its name or its tags decide`)
    }
    expect(denied).toEqual([])
  })

  test('can change the records of its stack, in their zones', async () => {
    const records = LAYOUTS.flatMap((layout) =>
      Object.values<Json>(stacksOf(environment, layout).environment.resource.aws_route53_record ?? {}),
    ).filter(({ name }) => !name.startsWith('$'))
    expect(records.map(({ name }) => name).sort()).toEqual([
      `redis.${environment}.waggle.internal`,
      'waggle.example.com',
    ])
    for (const { name, zone_id: zone } of records)
      expect(
        await mayDeploy(
          environment,
          'route53:ChangeResourceRecordSets',
          `arn:aws:route53:::hostedzone/${zone.startsWith('$') ? 'Z1PRIVATE' : zone}`,
          { 'route53:ChangeResourceRecordSetsNormalizedRecordNames': [name] },
        ),
        name,
      ).toBe(true)
  })

  test('can create what has the tags of its stack', async () => {
    for (const [action, type] of [
      ['ec2:RunInstances', 'instance'],
      ['ec2:CreateVolume', 'volume'],
      ['ec2:CreateLaunchTemplate', 'launch-template'],
      ['ec2:CreateVpcEndpoint', 'vpc-endpoint'],
    ] as const)
      expect(await mayDeploy(environment, action, arn('ec2', `${type}/1`), settingTagsOf(environment))).toBe(
        true,
      )
  })
})

// The fifty rules: every stack meets all of them, and each rule finds a violation in a stack that breaks it.
import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { findingsIn, rules } from '../src/rules/rules.ts'
import { readConfigs } from '../src/synthesize.ts'
import { configOf, everyCase, type Json, type Layout, synthesizeOne } from './support/layouts.ts'

const cases = everyCase.map(({ name, layout }) => {
  const config = configOf(name, layout)
  return { name, layout, config, ...synthesizeOne(config) }
})
const configured = readConfigs().map((config) => ({ name: config.name, config, ...synthesizeOne(config) }))

afterAll(() => {
  for (const { folder } of [...cases, ...configured]) rmSync(folder, { recursive: true, force: true })
})

test.each(cases)('$name as $layout meets all rules', ({ config, environment, shared }) => {
  expect([...findingsIn(environment, config), ...findingsIn(shared, config)]).toEqual([])
})

test.each(configured)('the configured $name meets all rules', ({ config, environment, shared }) => {
  expect([...findingsIn(environment, config), ...findingsIn(shared, config)]).toEqual([])
})

test('there are fifty rules with different names, and each has a violation below', () => {
  expect(rules).toHaveLength(50)
  expect(Object.keys(violations).sort()).toEqual(rules.map(({ name }) => name).sort())
})

/** Changes the statements of a policy. */
function rewrite(resource: Json, argument: string, change: (statements: Json[]) => void): void {
  const policy = JSON.parse(resource[argument])
  change(policy.Statement)
  resource[argument] = JSON.stringify(policy)
}

/** Returns a reference in the notation of Terraform. */
const ref = (expression: string) => `\${${expression}}`

const allow = (r: Json, statement: Json) =>
  rewrite(r.aws_iam_role_policy['api-policy'], 'policy', (all) =>
    all.push({ Effect: 'Allow', Sid: 'Wrong', ...statement }),
  )

const openRule = {
  security_group_id: ref('aws_security_group.api-group.id'),
  cidr_ipv4: '0.0.0.0/0',
  ip_protocol: 'tcp',
  description: 'x',
}
const addIngress = (r: Json, rule: Json) => {
  r.aws_vpc_security_group_ingress_rule.wrong = { ...openRule, ...rule }
}

/** Changes that break a rule in the production stack of the high layout, by the name of the rule. */
const violations: Record<string, (resource: Json) => void> = {
  'instance metadata requires IMDSv2': (r) => {
    r.aws_instance['api-1'].metadata_options.http_tokens = 'optional'
  },
  'containers cannot reach the instance metadata': (r) => {
    r.aws_launch_template['workers-template'].metadata_options.http_put_response_hop_limit = 2
  },
  'disks are encrypted': (r) => {
    r.aws_launch_template['workers-template'].block_device_mappings[0].ebs.encrypted = 'false'
  },
  'hosts in production have detailed monitoring': (r) => {
    r.aws_instance['api-1'].monitoring = false
  },
  'hosts are EBS-optimized': (r) => {
    delete r.aws_instance['api-2'].ebs_optimized
  },
  'hosts have an instance profile': (r) => {
    delete r.aws_launch_template['workers-template'].iam_instance_profile
  },
  'user data contains no secret': (r) => {
    r.aws_instance['api-1'].user_data_base64 = Buffer.from(
      'export REDIS_URL=redis://:hunter22@redis',
    ).toString('base64')
  },
  'hosts have a public address only with egress "public-ip"': (r) => {
    r.aws_instance['api-1'].associate_public_ip_address = true
  },
  'subnets do not assign public addresses automatically': (r) => {
    r.aws_subnet['public-0'].map_public_ip_on_launch = true
  },
  'no security group opens port 22, and there are no SSH keys': (r) =>
    addIngress(r, { cidr_ipv4: '10.0.0.1/32', from_port: 20, to_port: 25 }),
  'no security group opens port 3389': (r) => addIngress(r, { from_port: 3389, to_port: 3389 }),
  'no security group opens all ports to the internet': (r) =>
    addIngress(r, { from_port: 0, to_port: 65_535 }),
  'the internet reaches only ports 80 and 443 of the load balancer or the API host': (r) =>
    addIngress(r, { from_port: 443, to_port: 443 }),
  'hosts reach the internet on a few ports only, database and cache have no outbound rules': (r) => {
    r.aws_vpc_security_group_egress_rule.wrong = { ...openRule, ip_protocol: '-1' }
  },
  'security groups and their rules have a description': (r) => {
    r.aws_security_group['worker-group'].description = ''
  },
  'every security group is used': (r) => {
    r.aws_security_group.spare = { description: 'x', vpc_id: 'x' }
  },
  'the default security group of the VPC allows no traffic': (r) => {
    delete r.aws_default_security_group['default-group']
  },
  'the default VPC is not used': (r) => {
    r.aws_default_vpc = { wrong: {} }
  },
  'flow logs record rejected packets': (r) => {
    r.aws_flow_log.flow.traffic_type = 'ACCEPT'
  },
  'every Elastic IP address is in use': (r) => {
    r.aws_eip.spare = { domain: 'vpc' }
  },
  'rules of security groups are separate resources': (r) => {
    r.aws_security_group['api-group'].ingress = []
  },
  'the database is encrypted': (r) => {
    r.aws_db_instance.database.storage_encrypted = false
  },
  'the database is in the data subnets and has no public address': (r) => {
    r.aws_db_subnet_group['database-subnets'].subnet_ids[0] = ref('aws_subnet.public-0.id')
  },
  'the database has backups, of at least 7 days in production': (r) => {
    r.aws_db_instance.database.backup_retention_period = 6
  },
  'the database has a final snapshot, and deletion protection in production': (r) => {
    r.aws_db_instance.database.skip_final_snapshot = true
  },
  'the database is in two zones with high availability': (r) => {
    r.aws_db_instance.database.multi_az = false
  },
  'the database installs minor versions automatically': (r) => {
    r.aws_db_instance.database.auto_minor_version_upgrade = false
  },
  'snapshots have the tags of their database': (r) => {
    delete r.aws_db_instance.database.copy_tags_to_snapshot
  },
  'the database exports its logs, and logs DDL and slow statements': (r) => {
    r.aws_db_instance.database.enabled_cloudwatch_logs_exports = ['upgrade']
  },
  'the database accepts only TLS connections': (r) => {
    r.aws_db_parameter_group['database-parameters'].parameter[0].value = '0'
  },
  'the certificate of the database is from a current authority': (r) => {
    r.aws_db_instance.database.ca_cert_identifier = 'rds-ca-2019'
  },
  'the database has detailed monitoring in production': (r) => {
    r.aws_db_instance.database.monitoring_interval = 0
  },
  'the database allows IAM authentication': (r) => {
    r.aws_db_instance.database.iam_database_authentication_enabled = false
  },
  'RDS manages the master password': (r) => {
    r.aws_db_instance.database.password = 'hunter22'
  },
  'images are scanned when they are pushed': (r) => {
    r.aws_ecr_repository['images-app'].image_scanning_configuration.scan_on_push = false
  },
  'image tags are immutable': (r) => {
    r.aws_ecr_repository['images-web'].image_tag_mutability = 'MUTABLE'
  },
  'image repositories are private and have a lifecycle policy': (r) => {
    delete r.aws_ecr_lifecycle_policy['images-web-lifecycle']
  },
  'log groups have a retention period': (r) => {
    delete r.aws_cloudwatch_log_group['worker-logs'].retention_in_days
  },
  'alarms have an action and define how missing data is treated': (r) => {
    r.aws_cloudwatch_metric_alarm['alarm-workers'].alarm_actions = []
  },
  'topics are encrypted with a customer-managed key and are not public': (r) => {
    r.aws_sns_topic.alarms.kms_master_key_id = 'alias/aws/sns'
  },
  'no role may perform all actions of AWS or of one service': (r) =>
    allow(r, { Action: 's3:*', Resource: 'arn:aws:s3:::x' }),
  'actions that support resource-level permissions are not allowed on all resources': (r) =>
    allow(r, { Action: 'cloudwatch:PutMetricData', Resource: '*' }),
  'no role can escalate its privileges or those of another role': (r) =>
    allow(r, { Action: 'iam:PassRole', Resource: 'arn:aws:iam::1:role/x' }),
  'only named services and GitHub can assume a role': (r) =>
    rewrite(r.aws_iam_role['flow-role'], 'assume_role_policy', ([first]) => {
      first.Principal = { AWS: '*' }
    }),
  'GitHub can assume a role only with an exact subject': (r) =>
    rewrite(r.aws_iam_role['github-deploy-dev'], 'assume_role_policy', ([first]) => {
      first.Condition.StringEquals['token.actions.githubusercontent.com:sub'] = 'repo:your-name/*'
    }),
  'Terraform contains no secret, and with kms "cmk" the key encrypts all stored data': (r) => {
    r.aws_ssm_parameter.wrong = { name: '/waggle/prod/app/REDIS_PASSWORD', type: 'String', value: 'x' }
  },
  'the load balancer uses TLS 1.2 or newer, redirects HTTP, and checks the health of its targets': (r) => {
    r.aws_lb_listener['balancer-http'].default_action = [{ type: 'forward' }]
  },
  'auto scaling groups have a launch template, propagated tags and a health check': (r) => {
    delete r.aws_autoscaling_group.workers.tag
  },
  'the cache is encrypted, has users and snapshots, and has a replica with high availability': (r) => {
    r.aws_elasticache_replication_group.cache.user_group_ids = []
  },
  'the state bucket is private, encrypted, versioned, TLS-only and protected from destruction': (r) => {
    delete r.aws_s3_bucket.state.lifecycle
  },
}

describe('a broken rule is found:', () => {
  const high = caseOf('high')

  test.each(rules)('$name', ({ name, find }) => {
    const both = {
      resource: structuredClone({ ...high.environment.resource, ...mergedShared(high.shared.resource) }),
    }
    expect(find(both, high.config)).toEqual([])
    violations[name]?.(both.resource)
    expect(find(both, high.config)).not.toEqual([])
  })
})

describe('another violation is found:', () => {
  const more: [string, (resource: Json) => void][] = [
    [
      'a key pair',
      (r) => {
        r.aws_key_pair = { wrong: {} }
      },
    ],
    [
      'a volume that is not encrypted',
      (r) => {
        r.aws_ebs_volume = { wrong: { size: 1 } }
      },
    ],
    ['a role that may perform all actions', (r) => allow(r, { Action: '*', Resource: '*' })],
    [
      'a role that may create roles without a boundary',
      (r) => allow(r, { Action: 'iam:CreateRole', Resource: 'arn:aws:iam::1:role/x' }),
    ],
    [
      'a role without a boundary',
      (r) => {
        delete r.aws_iam_role['worker-role'].permissions_boundary
      },
    ],
    [
      'a policy that exceeds the length limit of IAM',
      (r) => {
        const { 'boundary-prod': boundary } = r.aws_iam_policy
        boundary.policy = boundary.policy.padEnd(6_145)
      },
    ],
    [
      'a bucket without a policy that requires TLS',
      (r) => {
        delete r.aws_s3_bucket_policy['state-policy']
      },
    ],
    [
      'a log group that is not encrypted with the key',
      (r) => {
        delete r.aws_cloudwatch_log_group['flow-logs'].kms_key_id
      },
    ],
    [
      'a load balancer without deletion protection',
      (r) => {
        r.aws_lb.balancer.enable_deletion_protection = false
      },
    ],
    [
      'an AWS access key in a setting',
      (r) => {
        r.aws_ssm_parameter['app-aws-region'].value = 'AKIAIOSFODNN7EXAMPLE'
      },
    ],
  ]

  test.each(more)('%s', (_violation, change) => {
    const { environment, shared, config } = caseOf('high')
    const both = { resource: structuredClone({ ...environment.resource, ...mergedShared(shared.resource) }) }
    expect(findingsIn(both, config)).toEqual([])
    change(both.resource)
    expect(findingsIn(both, config)).not.toEqual([])
  })
})

/** Returns the resources of the shared stack by type, with those of the environment of the same type. */
function mergedShared(shared: Json): Json {
  const { environment } = caseOf('high')
  return Object.fromEntries(
    Object.entries<Json>(shared).map(([type, byId]) => [type, { ...environment.resource[type], ...byId }]),
  )
}

function caseOf(layout: Layout) {
  return (
    cases.find((candidate) => candidate.name === 'prod' && candidate.layout === layout) ??
    expect.fail(`The layout ${layout} does not exist`)
  )
}

// The fifty rules: every stack keeps them, and each is seen to fail on a stack that does not.
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

test.each(cases)('$name as $layout keeps all rules', ({ config, environment, shared }) => {
  expect([...findingsIn(environment, config), ...findingsIn(shared, config)]).toEqual([])
})

test.each(configured)('$name as it is configured keeps all rules', ({ config, environment, shared }) => {
  expect([...findingsIn(environment, config), ...findingsIn(shared, config)]).toEqual([])
})

test('there are fifty rules, each with a name of its own, and each is broken below', () => {
  expect(rules).toHaveLength(50)
  expect(Object.keys(offences).sort()).toEqual(rules.map(({ name }) => name).sort())
})

/** Adds a statement to a policy, or changes all there are. */
function rewrite(resource: Json, argument: string, change: (statements: Json[]) => void): void {
  const policy = JSON.parse(resource[argument])
  change(policy.Statement)
  resource[argument] = JSON.stringify(policy)
}

/** As Terraform writes it. */
const ref = (expression: string) => `\${${expression}}`

const allow = (r: Json, statement: Json) =>
  rewrite(r.aws_iam_role_policy['api-policy'], 'policy', (all) =>
    all.push({ Effect: 'Allow', Sid: 'Wrong', ...statement }),
  )

const world = {
  security_group_id: ref('aws_security_group.api-group.id'),
  cidr_ipv4: '0.0.0.0/0',
  ip_protocol: 'tcp',
  description: 'x',
}
const letIn = (r: Json, rule: Json) => {
  r.aws_vpc_security_group_ingress_rule.wrong = { ...world, ...rule }
}

/** By the name of the rule: what breaks it, in the production stack of the high layout. */
const offences: Record<string, (resource: Json) => void> = {
  'metadata are given by IMDSv2 only': (r) => {
    r.aws_instance['api-1'].metadata_options.http_tokens = 'optional'
  },
  'metadata do not reach containers': (r) => {
    r.aws_launch_template['workers-template'].metadata_options.http_put_response_hop_limit = 2
  },
  'disks are encrypted': (r) => {
    r.aws_launch_template['workers-template'].block_device_mappings[0].ebs.encrypted = 'false'
  },
  'hosts in production are watched minute by minute': (r) => {
    r.aws_instance['api-1'].monitoring = false
  },
  'hosts have a lane of their own to their disks': (r) => {
    delete r.aws_instance['api-2'].ebs_optimized
  },
  'hosts have a role': (r) => {
    delete r.aws_launch_template['workers-template'].iam_instance_profile
  },
  'there is no secret in user data': (r) => {
    r.aws_instance['api-1'].user_data_base64 = Buffer.from(
      'export REDIS_URL=redis://:hunter22@redis',
    ).toString('base64')
  },
  'hosts have a public address only where that is their way out': (r) => {
    r.aws_instance['api-1'].associate_public_ip_address = true
  },
  'subnets give nobody a public address by themselves': (r) => {
    r.aws_subnet['public-0'].map_public_ip_on_launch = true
  },
  'nobody reaches port 22, and there are no keys for it': (r) =>
    letIn(r, { cidr_ipv4: '10.0.0.1/32', from_port: 20, to_port: 25 }),
  'nobody reaches port 3389': (r) => letIn(r, { from_port: 3389, to_port: 3389 }),
  'the world does not reach all ports of anything': (r) => letIn(r, { from_port: 0, to_port: 65_535 }),
  'the world reaches 80 and 443 of the entry only': (r) => letIn(r, { from_port: 443, to_port: 443 }),
  'hosts reach the world by a few ports, database and cache not at all': (r) => {
    r.aws_vpc_security_group_egress_rule.wrong = { ...world, ip_protocol: '-1' }
  },
  'security groups and rules say what they are for': (r) => {
    r.aws_security_group['worker-group'].description = ''
  },
  'every security group is used': (r) => {
    r.aws_security_group.spare = { description: 'x', vpc_id: 'x' }
  },
  'the default security group of a VPC lets nothing through': (r) => {
    delete r.aws_default_security_group['default-group']
  },
  'nothing is in the default VPC': (r) => {
    r.aws_default_vpc = { wrong: {} }
  },
  'refused packets are recorded': (r) => {
    r.aws_flow_log.flow.traffic_type = 'ACCEPT'
  },
  'every public address is in use': (r) => {
    r.aws_eip.spare = { domain: 'vpc' }
  },
  'rules of security groups stand by themselves': (r) => {
    r.aws_security_group['api-group'].ingress = []
  },
  'the database is encrypted': (r) => {
    r.aws_db_instance.database.storage_encrypted = false
  },
  'the database is in subnets from which nothing leads out, and has no public address': (r) => {
    r.aws_db_subnet_group['database-subnets'].subnet_ids[0] = ref('aws_subnet.public-0.id')
  },
  'the database is backed up, a week back in production': (r) => {
    r.aws_db_instance.database.backup_retention_period = 6
  },
  'the database cannot be deleted in production, and nowhere without a last snapshot': (r) => {
    r.aws_db_instance.database.skip_final_snapshot = true
  },
  'the database has a second where availability is high': (r) => {
    r.aws_db_instance.database.multi_az = false
  },
  'the database takes minor versions by itself': (r) => {
    r.aws_db_instance.database.auto_minor_version_upgrade = false
  },
  'snapshots have the tags of their database': (r) => {
    delete r.aws_db_instance.database.copy_tags_to_snapshot
  },
  'the database tells what it logs, and logs what is slow': (r) => {
    r.aws_db_instance.database.enabled_cloudwatch_logs_exports = ['upgrade']
  },
  'the database takes TLS only': (r) => {
    r.aws_db_parameter_group['database-parameters'].parameter[0].value = '0'
  },
  'the certificate of the database is of an authority of today': (r) => {
    r.aws_db_instance.database.ca_cert_identifier = 'rds-ca-2019'
  },
  'the database is watched closely in production': (r) => {
    r.aws_db_instance.database.monitoring_interval = 0
  },
  'people may log in to the database by IAM': (r) => {
    r.aws_db_instance.database.iam_database_authentication_enabled = false
  },
  'nobody knows the password of the master': (r) => {
    r.aws_db_instance.database.password = 'hunter22'
  },
  'images are looked through when they arrive': (r) => {
    r.aws_ecr_repository['images-app'].image_scanning_configuration.scan_on_push = false
  },
  'a tag is never written twice': (r) => {
    r.aws_ecr_repository['images-web'].image_tag_mutability = 'MUTABLE'
  },
  'images are for us only, and old ones go': (r) => {
    delete r.aws_ecr_lifecycle_policy['images-web-lifecycle']
  },
  'logs end some day': (r) => {
    delete r.aws_cloudwatch_log_group['worker-logs'].retention_in_days
  },
  'alarms call somebody, and say what silence means': (r) => {
    r.aws_cloudwatch_metric_alarm['alarm-workers'].alarm_actions = []
  },
  'topics are encrypted with a key that CloudWatch may use, and not everybody writes to them': (r) => {
    r.aws_sns_topic.alarms.kms_master_key_id = 'alias/aws/sns'
  },
  'no role may do everything, of AWS or of one service': (r) =>
    allow(r, { Action: 's3:*', Resource: 'arn:aws:s3:::x' }),
  'what can be allowed for some resources is not allowed for all': (r) =>
    allow(r, { Action: 'cloudwatch:PutMetricData', Resource: '*' }),
  'no role can make itself or another a mightier one': (r) =>
    allow(r, { Action: 'iam:PassRole', Resource: 'arn:aws:iam::1:role/x' }),
  'a role is taken by a service that is named, or by GitHub': (r) =>
    rewrite(r.aws_iam_role['flow-role'], 'assume_role_policy', ([first]) => {
      first.Principal = { AWS: '*' }
    }),
  'GitHub takes a role for one repository, in runs that are named whole': (r) =>
    rewrite(r.aws_iam_role['github-deploy'], 'assume_role_policy', ([first]) => {
      first.Condition.StringEquals['token.actions.githubusercontent.com:sub'] = 'repo:your-name/*'
    }),
  'no secret is in Terraform, and with a key of our own all that is stored is under it': (r) => {
    r.aws_ssm_parameter.wrong = { name: '/waggle/prod/app/REDIS_PASSWORD', type: 'String', value: 'x' }
  },
  'the balancer speaks TLS 1.2 or newer, sends HTTP there, and asks who is well': (r) => {
    r.aws_lb_listener['balancer-http'].default_action = [{ type: 'forward' }]
  },
  'auto scaling groups have a launch template, tags for their hosts and a way to see who is ill': (r) => {
    delete r.aws_autoscaling_group.workers.tag
  },
  'the cache is encrypted, asks for a password, is kept, and has a second where availability is high': (
    r,
  ) => {
    r.aws_elasticache_replication_group.cache.user_group_ids = []
  },
  'the state is private, encrypted, kept in versions, over TLS only, and cannot be destroyed': (r) => {
    delete r.aws_s3_bucket.state.lifecycle
  },
}

describe('a stack is found out when it is not true that', () => {
  const high = caseOf('high')

  test.each(rules)('$name', ({ name, find }) => {
    const both = {
      resource: structuredClone({ ...high.environment.resource, ...separately(high.shared.resource) }),
    }
    expect(find(both, high.config)).toEqual([])
    offences[name]?.(both.resource)
    expect(find(both, high.config)).not.toEqual([])
  })
})

describe('found out as well', () => {
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
    ['everything for one role', (r) => allow(r, { Action: '*', Resource: '*' })],
    [
      'a role that makes roles without a boundary',
      (r) => allow(r, { Action: 'iam:CreateRole', Resource: 'arn:aws:iam::1:role/x' }),
    ],
    [
      'a role without a boundary',
      (r) => {
        delete r.aws_iam_role['worker-role'].permissions_boundary
      },
    ],
    [
      'a policy that is longer than IAM takes',
      (r) => {
        r.aws_iam_policy.boundary.policy = r.aws_iam_policy.boundary.policy.padEnd(6_145)
      },
    ],
    [
      'a bucket with a policy for all protocols',
      (r) => {
        delete r.aws_s3_bucket_policy['state-policy']
      },
    ],
    [
      'a log group that is not under the key',
      (r) => {
        delete r.aws_cloudwatch_log_group['flow-logs'].kms_key_id
      },
    ],
    [
      'a balancer that can be deleted',
      (r) => {
        r.aws_lb.balancer.enable_deletion_protection = false
      },
    ],
    [
      'a key of AWS in a setting',
      (r) => {
        r.aws_ssm_parameter['app-aws-region'].value = 'AKIAIOSFODNN7EXAMPLE'
      },
    ],
  ]

  test.each(more)('%s', (_what, change) => {
    const { environment, shared, config } = caseOf('high')
    const both = { resource: structuredClone({ ...environment.resource, ...separately(shared.resource) }) }
    expect(findingsIn(both, config)).toEqual([])
    change(both.resource)
    expect(findingsIn(both, config)).not.toEqual([])
  })
})

/** Resources of types that only the shared stack has, and its roles beside the environment's. */
function separately(shared: Json): Json {
  const { environment } = caseOf('high')
  return Object.fromEntries(
    Object.entries<Json>(shared).map(([type, byId]) => [type, { ...environment.resource[type], ...byId }]),
  )
}

function caseOf(layout: Layout) {
  return (
    cases.find((one) => one.name === 'prod' && one.layout === layout) ?? expect.fail(`There is no ${layout}`)
  )
}

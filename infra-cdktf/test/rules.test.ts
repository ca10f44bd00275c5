// Every stack meets all rules, and each rule finds a violation in a stack that breaks it.
import { rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { account } from '../account.ts'
import { environments } from '../environments.ts'
import { readConfigs } from '../src/config/project.ts'
import { findingsIn, rules } from '../src/rules/rules.ts'
import { configOf, everyCase, type Json, type Layout, synthesizeOne } from './support/layouts.ts'

const cases = everyCase.map(({ name, layout }) => {
  const config = configOf(name, layout)
  return { name, layout, config, ...synthesizeOne(config) }
})
const configured = readConfigs({ account, environments }).map((config) => ({
  name: config.name,
  config,
  ...synthesizeOne(config),
}))

afterAll(() => {
  for (const { folder } of [...cases, ...configured]) rmSync(folder, { recursive: true, force: true })
})

test.each(cases)('$name as $layout meets all rules', ({ config, environment, shared }) => {
  expect([...findingsIn(environment, config), ...findingsIn(shared, config)]).toEqual([])
})

test.each(configured)('the configured $name meets all rules', ({ config, environment, shared }) => {
  expect([...findingsIn(environment, config), ...findingsIn(shared, config)]).toEqual([])
})

test('each rule has a violation below', () => {
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
  'instance metadata requires IMDSv2, and containers cannot reach it': (r) => {
    r.aws_launch_template['workers-template'].metadata_options.http_put_response_hop_limit = 2
  },
  'every image repository has a lifecycle policy': (r) => {
    delete r.aws_ecr_lifecycle_policy['images-web-lifecycle']
  },
  'the topic of the alarms is encrypted with the key of the environment and is not public': (r) => {
    r.aws_sns_topic.alarms.kms_master_key_id = 'alias/aws/sns'
  },
  'the database has a final snapshot, and in production deletion protection and 7 days of backups': (r) => {
    r.aws_db_instance.database.backup_retention_period = 6
  },
  'no security group opens port 22, and there are no SSH keys': (r) =>
    addIngress(r, { cidr_ipv4: '10.0.0.1/32', from_port: 20, to_port: 25 }),
  'the internet reaches only ports 80 and 443 of the load balancer or the API host': (r) =>
    addIngress(r, { from_port: 443, to_port: 443 }),
  'hosts reach the internet on a few ports only, database and cache have no outbound rules': (r) => {
    r.aws_vpc_security_group_egress_rule.wrong = { ...openRule, ip_protocol: '-1' }
  },
  'rules of security groups are separate resources': (r) => {
    r.aws_security_group['api-group'].ingress = []
  },
  'the database is in the data subnets and has no public address': (r) => {
    r.aws_db_subnet_group['database-subnets'].subnet_ids[0] = ref('aws_subnet.public-0.id')
  },
  'the database accepts only TLS connections': (r) => {
    r.aws_db_parameter_group['database-parameters'].parameter[0].value = '0'
  },
  'RDS manages the master password': (r) => {
    r.aws_db_instance.database.password = 'hunter22'
  },
  'alarms have an action and define how missing data is treated': (r) => {
    r.aws_cloudwatch_metric_alarm['alarm-workers'].alarm_actions = []
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
      'a password in user data',
      (r) => {
        const script = 'export REDIS_URL=redis://:hunter22@redis'
        r.aws_instance['api-1'].user_data_base64 = Buffer.from(script).toString('base64')
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

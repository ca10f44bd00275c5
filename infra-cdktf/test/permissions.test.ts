// What the workflows and hosts may do in AWS, evaluated with the synthesized policies. Environments can share
// an account, so no role of one environment may reach another one.
import { describe, expect, test } from 'vitest'
import { deployRoleOf, ENVIRONMENTS, type Environment, GITHUB_ROLES, namesOf, SECRETS } from '../src/names.ts'
import { account, LAYOUTS } from './support/layouts.ts'
import {
  type Context,
  mayBounded,
  mayDeploy,
  mayHost,
  mayPlan,
  policiesOf,
  settingTagsOf,
  stacksOf,
  withTagsOf,
} from './support/permissions.ts'

type Request = [action: string, resource: string, context?: Context]

const { id, region } = account
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${id}:${rest}`
const ec2 = (resource: string) => arn('ec2', resource)
const iam = (resource: string) => `arn:aws:iam::${id}:${resource}`
const boundaryOf = (environment: Environment) => iam(`policy/waggle-${environment}-boundary`)
const parameter = (environment: Environment, path: string) =>
  arn('ssm', `parameter/waggle/${environment}/${path}`)
const masterSecret = arn('secretsmanager', 'secret:rds!db-1')
/** The tag that RDS sets on the master secret of a database. */
const ofDatabase = (environment: Environment): Context => ({
  'aws:ResourceTag/aws:rds:primaryDBInstanceArn': arn('rds', `db:waggle-${environment}`),
})
/** The record names in a request to Route 53, which are lower-case and without the final dot. */
const records = (...names: string[]): Context => ({
  'route53:ChangeResourceRecordSetsNormalizedRecordNames': names,
})

/** Requests that change or read an environment. @param actor the environment of the role that makes them */
function requestsTo(target: Environment, actor: Environment): Record<string, Request> {
  const { prefix, logs, redis } = namesOf(target)
  const documentOf = (name: string) => arn('ssm', `document/${name}`)
  return {
    'delete the database': ['rds:DeleteDBInstance', arn('rds', `db:${prefix}`)],
    'change the database': ['rds:ModifyDBInstance', arn('rds', `db:${prefix}`)],
    'take a snapshot of the database': ['rds:CreateDBSnapshot', arn('rds', `snapshot:${prefix}-final`)],
    'tag the master secret': ['secretsmanager:TagResource', masterSecret, ofDatabase(target)],
    'rotate the master secret': ['secretsmanager:RotateSecret', masterSecret, ofDatabase(target)],
    'describe the master secret': ['secretsmanager:DescribeSecret', masterSecret, ofDatabase(target)],
    'delete the cache': [
      'elasticache:DeleteReplicationGroup',
      arn('elasticache', `replicationgroup:${prefix}`),
    ],
    'set the password of the cache': ['elasticache:ModifyUser', arn('elasticache', `user:${prefix}`)],
    'roll out with its document': ['ssm:SendCommand', documentOf(`${prefix}-rollout`)],
    'roll out on its hosts': [
      'ssm:SendCommand',
      ec2('instance/i-1'),
      { 'ssm:resourceTag/Environment': target, 'ssm:resourceTag/Project': 'waggle', ...withTagsOf(target) },
    ],
    'change the rollout document': ['ssm:UpdateDocument', documentOf(`${prefix}-rollout`)],
    'read the key of the smoke test': ['ssm:GetParameter', parameter(target, 'role/app/SMOKE_API_KEY')],
    'change a setting': ['ssm:PutParameter', parameter(target, 'app/DATABASE_HOST')],
    'change the release': ['ssm:PutParameter', parameter(target, 'release/current')],
    'delete the report of a host that is gone': ['ssm:DeleteParameters', parameter(target, 'ready/i-1')],
    'read a setting': ['ssm:GetParameter', parameter(target, 'app/DATABASE_HOST')],
    'read the state': [
      's3:GetObject',
      `arn:aws:s3:::waggle-state-${id}-${region}/${target}/terraform.tfstate`,
    ],
    'write the state': [
      's3:PutObject',
      `arn:aws:s3:::waggle-state-${id}-${region}/${target}/terraform.tfstate`,
    ],
    'lock the state': [
      's3:PutObject',
      `arn:aws:s3:::waggle-state-${id}-${region}/${target}/terraform.tfstate.tflock`,
    ],
    'terminate a host': ['ec2:TerminateInstances', ec2('instance/i-1'), withTagsOf(target)],
    'stop a host': ['ec2:StopInstances', ec2('instance/i-1'), withTagsOf(target)],
    'give a host another profile': [
      'ec2:ReplaceIamInstanceProfileAssociation',
      ec2('instance/i-1'),
      withTagsOf(target),
    ],
    'detach a disk': ['ec2:DetachVolume', ec2('volume/vol-1'), withTagsOf(target)],
    'attach a disk': ['ec2:AttachVolume', ec2('volume/vol-1'), withTagsOf(target)],
    'delete a disk': ['ec2:DeleteVolume', ec2('volume/vol-1'), withTagsOf(target)],
    'open a security group': [
      'ec2:AuthorizeSecurityGroupIngress',
      ec2('security-group/sg-1'),
      withTagsOf(target),
    ],
    'close a security group': [
      'ec2:RevokeSecurityGroupEgress',
      ec2('security-group/sg-1'),
      withTagsOf(target),
    ],
    'give an interface another security group': [
      'ec2:ModifyNetworkInterfaceAttribute',
      ec2('security-group/sg-1'),
      withTagsOf(target),
    ],
    'change an interface': [
      'ec2:ModifyNetworkInterfaceAttribute',
      ec2('network-interface/eni-1'),
      { 'aws:ResourceTag/Environment': target },
    ],
    'move a public address to an interface': [
      'ec2:AssociateAddress',
      ec2('network-interface/eni-1'),
      { 'aws:ResourceTag/Environment': target },
    ],
    'release a public address': ['ec2:ReleaseAddress', ec2('elastic-ip/eipalloc-1'), withTagsOf(target)],
    'change a route': ['ec2:ReplaceRoute', ec2('route-table/rtb-1'), withTagsOf(target)],
    'create a subnet in the VPC': ['ec2:CreateSubnet', ec2('vpc/vpc-1'), withTagsOf(target)],
    'create an endpoint in the VPC': ['ec2:CreateVpcEndpoint', ec2('vpc/vpc-1'), withTagsOf(target)],
    'start an instance in a subnet': ['ec2:RunInstances', ec2('subnet/subnet-1'), withTagsOf(target)],
    'start an instance that counts as its host': [
      'ec2:RunInstances',
      ec2('instance/i-9'),
      settingTagsOf(target),
    ],
    'change a launch template': [
      'ec2:CreateLaunchTemplateVersion',
      ec2('launch-template/lt-1'),
      withTagsOf(target),
    ],
    'tag a resource as the own one': [
      'ec2:CreateTags',
      ec2('instance/i-1'),
      { ...withTagsOf(target), ...settingTagsOf(actor) },
    ],
    'tag an interface as the own one': [
      'ec2:CreateTags',
      ec2('network-interface/eni-1'),
      { 'aws:ResourceTag/Environment': target, ...settingTagsOf(actor) },
    ],
    'remove tags': [
      'ec2:DeleteTags',
      ec2('instance/i-1'),
      { ...withTagsOf(target), 'aws:TagKeys': ['Environment'] },
    ],
    'remove a rule by its tag': ['ec2:DeleteTags', ec2('security-group-rule/sgr-1'), withTagsOf(target)],
    'delete the key': ['kms:ScheduleKeyDeletion', arn('kms', 'key/1'), withTagsOf(target)],
    'change who may use the key': ['kms:PutKeyPolicy', arn('kms', 'key/1'), withTagsOf(target)],
    'give the key another alias': ['kms:CreateAlias', arn('kms', 'key/1'), withTagsOf(target)],
    'tag the key as the own one': [
      'kms:TagResource',
      arn('kms', 'key/1'),
      { ...withTagsOf(target), ...settingTagsOf(actor) },
    ],
    'decrypt with the key': [
      'kms:Decrypt',
      arn('kms', 'key/1'),
      { ...withTagsOf(target), 'kms:ViaService': `ssm.${region}.amazonaws.com` },
    ],
    'change the alias of the key': ['kms:UpdateAlias', arn('kms', `alias/${prefix}`)],
    'delete the certificate': ['acm:DeleteCertificate', arn('acm', 'certificate/1'), withTagsOf(target)],
    'create a role': [
      'iam:CreateRole',
      iam(`role/${prefix}-host-app`),
      { 'iam:PermissionsBoundary': boundaryOf(target) },
    ],
    'change the policy of a role': [
      'iam:PutRolePolicy',
      iam(`role/${prefix}-host-app`),
      { 'iam:PermissionsBoundary': boundaryOf(target) },
    ],
    'delete a role': ['iam:DeleteRole', iam(`role/${prefix}-host-app`)],
    'pass a role to an instance': [
      'iam:PassRole',
      iam(`role/${prefix}-host-app`),
      { 'iam:PassedToService': 'ec2.amazonaws.com' },
    ],
    'change an instance profile': [
      'iam:AddRoleToInstanceProfile',
      iam(`instance-profile/${prefix}-host-app`),
    ],
    'delete the log of the API': ['logs:DeleteLogGroup', arn('logs', `log-group:${logs.backend}`)],
    'delete the log of the database': ['logs:DeleteLogGroup', arn('logs', `log-group:${logs.database}`)],
    'shorten the retention of a log': ['logs:PutRetentionPolicy', arn('logs', `log-group:${logs.host}`)],
    'delete an alarm': ['cloudwatch:DeleteAlarms', arn('cloudwatch', `alarm:${prefix}-workers`)],
    'delete the dashboard': ['cloudwatch:DeleteDashboards', `arn:aws:cloudwatch::${id}:dashboard/${prefix}`],
    'delete the topic': ['sns:DeleteTopic', arn('sns', `${prefix}-alarms`)],
    'subscribe to the topic': ['sns:Subscribe', arn('sns', `${prefix}-alarms`)],
    'send messages of an own alarm to the topic': [
      'cloudwatch:PutMetricAlarm',
      arn('cloudwatch', `alarm:${namesOf(actor).prefix}-x`),
      { 'cloudwatch:AlarmActions': [arn('sns', `${prefix}-alarms`)] },
    ],
    'delete the load balancer': [
      'elasticloadbalancing:DeleteLoadBalancer',
      arn('elasticloadbalancing', `loadbalancer/app/${prefix}/0123456789abcdef`),
    ],
    'send requests elsewhere': [
      'elasticloadbalancing:ModifyListener',
      arn('elasticloadbalancing', `listener/app/${prefix}/0123456789abcdef/0123456789abcdef`),
    ],
    'stop the scaling of workers': [
      'autoscaling:UpdateAutoScalingGroup',
      arn('autoscaling', `autoScalingGroup:1:autoScalingGroupName/${prefix}-workers`),
    ],
    'launch workers that count as its hosts': [
      'autoscaling:CreateAutoScalingGroup',
      arn('autoscaling', `autoScalingGroup:1:autoScalingGroupName/${namesOf(actor).prefix}-workers`),
      { ...settingTagsOf(target), 'autoscaling:LaunchTemplateVersionSpecified': 'true' },
    ],
    'change the private record of Redis': [
      'route53:ChangeResourceRecordSets',
      'arn:aws:route53:::hostedzone/Z1PRIVATE',
      records(redis),
    ],
  }
}

describe.each(ENVIRONMENTS)('the role that deploys to %s', (actor) => {
  test('may do this in its own environment', async () => {
    expect(await decisions(actor, requestsTo(actor, actor))).toEqual(all(requestsTo(actor, actor), true))
  })

  test.each(ENVIRONMENTS.filter((other) => other !== actor))('may do nothing of it in %s', async (target) => {
    expect(await decisions(actor, requestsTo(target, actor))).toEqual(all(requestsTo(target, actor), false))
  })

  test('may not escape from its environment', async () => {
    const { prefix } = namesOf(actor)
    const other = actor === 'prod' ? 'dev' : 'prod'
    const role = iam(`role/${prefix}-host-app`)
    const group = arn('autoscaling', `autoScalingGroup:1:autoScalingGroupName/${prefix}-workers`)
    const requests: Record<string, Request> = {
      'run a shell command': ['ssm:SendCommand', arn('ssm', 'document/AWS-RunShellScript')],
      'open a shell': ['ssm:StartSession', ec2('instance/i-1'), withTagsOf(actor)],
      'create a role without a boundary': ['iam:CreateRole', role],
      'create a role with another boundary': [
        'iam:CreateRole',
        role,
        { 'iam:PermissionsBoundary': 'arn:aws:iam::aws:policy/AdministratorAccess' },
      ],
      'remove a boundary': ['iam:DeleteRolePermissionsBoundary', role],
      'attach a managed policy': ['iam:AttachRolePolicy', role],
      'change its own boundary': ['iam:CreatePolicyVersion', boundaryOf(actor)],
      'change its own policies': ['iam:CreatePolicyVersion', iam(`policy/${deployRoleOf(actor)}-tags`)],
      'change who may assume it': ['iam:UpdateAssumeRolePolicy', iam(`role/${deployRoleOf(actor)}`)],
      'give an own instance to another environment': [
        'ec2:CreateTags',
        ec2('instance/i-1'),
        { ...withTagsOf(actor), 'aws:RequestTag/Environment': other },
      ],
      'give an own key to another environment': [
        'kms:TagResource',
        arn('kms', 'key/1'),
        { ...withTagsOf(actor), 'aws:RequestTag/Environment': other },
      ],
      'give workers to another environment': ['autoscaling:CreateOrUpdateTags', group, settingTagsOf(other)],
      'give a database to another environment': [
        'rds:AddTagsToResource',
        arn('rds', `db:${prefix}`),
        { 'aws:RequestTag/Environment': other },
      ],
      'start an instance with an interface of another environment': [
        'ec2:RunInstances',
        ec2('network-interface/eni-1'),
        { 'aws:ResourceTag/Environment': other },
      ],
      'pass a role to another service': [
        'iam:PassRole',
        role,
        { 'iam:PassedToService': 'lambda.amazonaws.com' },
      ],
      'overwrite an image': ['ecr:PutImage', arn('ecr', 'repository/waggle-app'), withTagsOf('shared')],
      'delete an image': ['ecr:BatchDeleteImage', arn('ecr', 'repository/waggle-app'), withTagsOf('shared')],
      'write the state of the shared stack': [
        's3:PutObject',
        `arn:aws:s3:::waggle-state-${id}-${region}/shared/terraform.tfstate`,
      ],
      'create a DNS zone': ['route53:CreateHostedZone', '*'],
      'delete a DNS zone': ['route53:DeleteHostedZone', 'arn:aws:route53:::hostedzone/Z1PRIVATE'],
      'change a record in a foreign zone': [
        'route53:ChangeResourceRecordSets',
        'arn:aws:route53:::hostedzone/ZFOREIGN',
        records('waggle.example.com'),
      ],
      'change another record in its zone': [
        'route53:ChangeResourceRecordSets',
        'arn:aws:route53:::hostedzone/Z0123456789ABC',
        records('example.com'),
      ],
      'change another record together with its own': [
        'route53:ChangeResourceRecordSets',
        'arn:aws:route53:::hostedzone/Z0123456789ABC',
        records('waggle.example.com', 'example.com'),
      ],
      'stop an instance by an alarm': [
        'cloudwatch:PutMetricAlarm',
        arn('cloudwatch', `alarm:${prefix}-x`),
        { 'cloudwatch:AlarmActions': [`arn:aws:automate:${region}:ec2:stop`] },
      ],
      'scale with a launch template that can change later': [
        'autoscaling:CreateAutoScalingGroup',
        group,
        { ...settingTagsOf(actor), 'autoscaling:LaunchTemplateVersionSpecified': 'false' },
      ],
      'restore a snapshot': ['rds:RestoreDBInstanceFromDBSnapshot', arn('rds', `db:${prefix}`)],
      'share a snapshot': ['rds:ModifyDBSnapshotAttribute', arn('rds', `snapshot:${prefix}-final`)],
      'read the master password': ['secretsmanager:GetSecretValue', arn('secretsmanager', 'secret:rds!db-1')],
      'cancel a command, which could be that of another environment': ['ssm:CancelCommand', '*'],
    }
    expect(await decisions(actor, requests)).toEqual(all(requests, false))
  })

  test('may not touch resources of other projects', async () => {
    const foreign: Context = { 'aws:ResourceTag/Environment': actor, 'aws:ResourceTag/Project': 'shop' }
    const named: Context = { 'aws:ResourceTag/Name': 'shop' }
    const requests: Record<string, Request> = {
      'terminate an instance': ['ec2:TerminateInstances', ec2('instance/i-1'), foreign],
      'terminate an instance without tags': ['ec2:TerminateInstances', ec2('instance/i-1')],
      'adopt an instance': ['ec2:CreateTags', ec2('instance/i-1'), settingTagsOf(actor)],
      'adopt a disk with a name': [
        'ec2:CreateTags',
        ec2('volume/vol-1'),
        { ...named, ...settingTagsOf(actor) },
      ],
      'adopt a key with an alias': [
        'kms:TagResource',
        arn('kms', 'key/1'),
        { ...settingTagsOf(actor), 'kms:ResourceAliases': ['alias/shop'] },
      ],
      'delete a key without tags': ['kms:ScheduleKeyDeletion', arn('kms', 'key/1')],
      'create a VPC without the tags': [
        'ec2:CreateVpc',
        ec2('vpc/vpc-1'),
        { 'aws:RequestTag/Project': 'waggle' },
      ],
      'create a subnet in a VPC': ['ec2:CreateSubnet', ec2('vpc/vpc-1'), foreign],
      'delete a database': ['rds:DeleteDBInstance', arn('rds', 'db:shop')],
      'run a rollout on a host': [
        'ssm:SendCommand',
        ec2('instance/i-1'),
        { 'ssm:resourceTag/Environment': actor, 'ssm:resourceTag/Project': 'shop' },
      ],
    }
    expect(await decisions(actor, requests)).toEqual(all(requests, false))
  })

  test('may read no secret except the key of the smoke test', async () => {
    const requests = Object.fromEntries(
      [
        ...SECRETS.app.map((name) => `app/${name}`),
        ...SECRETS.api.filter((name) => name !== 'SMOKE_API_KEY').map((name) => `role/app/${name}`),
      ].map((path): [string, Request] => [path, ['ssm:GetParameter', parameter(actor, path)]]),
    )
    expect(await decisions(actor, requests)).toEqual(all(requests, false))
  })

  test('may create what a stack consists of', async () => {
    const { prefix } = namesOf(actor)
    const created = settingTagsOf(actor)
    const own = withTagsOf(actor)
    const requests: Request[] = [
      ['ec2:CreateVpc', ec2('vpc/vpc-1'), created],
      ['ec2:CreateSubnet', ec2('subnet/subnet-1'), created],
      ['ec2:AllocateAddress', ec2('elastic-ip/eipalloc-1'), created],
      ['ec2:CreateNatGateway', ec2('natgateway/nat-1'), created],
      ['ec2:CreateNatGateway', ec2('elastic-ip/eipalloc-1'), own],
      ['ec2:CreateFlowLogs', ec2('vpc-flow-log/fl-1'), created],
      ['ec2:CreateFlowLogs', ec2('vpc/vpc-1'), own],
      ['ec2:AuthorizeSecurityGroupEgress', ec2('security-group-rule/sgr-1'), created],
      ['ec2:RunInstances', ec2('instance/i-1'), created],
      ['ec2:RunInstances', ec2('volume/vol-1')],
      ['ec2:RunInstances', ec2('network-interface/eni-1')],
      ['ec2:RunInstances', `arn:aws:ec2:${region}::image/ami-1`],
      ['ec2:RunInstances', ec2('launch-template/lt-1'), own],
      ['ec2:CreateTags', ec2('instance/i-1'), { ...created, 'ec2:CreateAction': 'RunInstances' }],
      ['ec2:CreateTags', ec2('volume/vol-1'), created],
      ['ec2:CreateTags', ec2('security-group/sg-1'), created],
      ['ec2:CreateTags', ec2('network-interface/eni-1'), { 'aws:RequestTag/Environment': actor }],
      ['ec2:ModifyNetworkInterfaceAttribute', ec2('network-interface/eni-1')],
      ['ec2:CreateNetworkInterface', ec2('network-interface/eni-1'), { 'aws:ViaAWSService': 'true' }],
      ['kms:CreateKey', '*', created],
      ['kms:TagResource', arn('kms', 'key/1'), created],
      ['kms:CreateAlias', arn('kms', `alias/${prefix}`)],
      ['kms:CreateAlias', arn('kms', 'key/1')],
      ['kms:EnableKeyRotation', arn('kms', 'key/1')],
      ['acm:RequestCertificate', '*', created],
      ['rds:CreateDBInstance', arn('rds', `db:${prefix}`)],
      ['rds:CreateDBInstance', arn('rds', 'og:default:postgres-17')],
      ['rds:CreateDBInstance', arn('rds', `pg:${prefix}-17-20261130`)],
      ['secretsmanager:CreateSecret', masterSecret],
      // RDS sets the tags of a new secret.
      ['secretsmanager:TagResource', masterSecret],
      ['elasticache:CreateReplicationGroup', arn('elasticache', 'parametergroup:default.valkey8')],
      [
        'iam:CreateServiceLinkedRole',
        iam('role/aws-service-role/events.amazonaws.com/AWSServiceRoleForCloudWatchEvents'),
        {
          'iam:AWSServiceName': 'events.amazonaws.com',
        },
      ],
      ['iam:PassRole', iam(`role/${prefix}-flow`), { 'iam:PassedToService': 'vpc-flow-logs.amazonaws.com' }],
      [
        'route53:ChangeResourceRecordSets',
        'arn:aws:route53:::hostedzone/Z0123456789ABC',
        records('waggle.example.com'),
      ],
      [
        'route53:ChangeResourceRecordSets',
        'arn:aws:route53:::hostedzone/Z0123456789ABC',
        records('_0a1b.waggle.example.com'),
      ],
      [
        'autoscaling:UpdateAutoScalingGroup',
        arn('autoscaling', `autoScalingGroup:1:autoScalingGroupName/${prefix}-workers`),
        {
          'autoscaling:LaunchTemplateVersionSpecified': 'true',
        },
      ],
      [
        'cloudwatch:PutMetricAlarm',
        arn('cloudwatch', `alarm:${prefix}-app-hardware`),
        {
          'cloudwatch:AlarmActions': [
            arn('sns', `${prefix}-alarms`),
            `arn:aws:automate:${region}:ec2:recover`,
          ],
        },
      ],
    ]
    const named = Object.fromEntries(requests.map((request) => [JSON.stringify(request), request]))
    expect(await decisions(actor, named)).toEqual(all(named, true))
  })

  test('has policies with room below the limits of IAM', () => {
    const policies = policiesOf(actor, deployRoleOf(actor))
    expect(Object.keys(policies).length).toBeLessThanOrEqual(10)
    // IAM allows 6,144 characters. The rest is for longer names of regions and for further settings.
    for (const [name, text] of Object.entries(policies)) expect(text.length, name).toBeLessThan(5_200)
  })
})

describe('a job on GitHub', () => {
  const issuer = 'token.actions.githubusercontent.com'
  /** Whether the trust policy of a role accepts a token with these claims. */
  const mayAssume = (role: string, claims: Record<string, string>) => {
    const roles = Object.values(stacksOf('prod').shared.resource.aws_iam_role) as Record<string, string>[]
    const found = roles.find(({ name }) => name === role)
    const [{ Condition }] = JSON.parse(found?.assume_role_policy ?? '[]').Statement
    expect(Object.keys(Condition)).toEqual(['StringEquals'])
    return Object.entries<string | string[]>(Condition.StringEquals).every(([key, allowed]) =>
      [allowed].flat().includes({ aud: 'sts.amazonaws.com', ...claims }[key.slice(issuer.length + 1)] ?? ''),
    )
  }
  const sub = (context: string) => `repo:octo-org@123456/waggle@987654:${context}`
  const main = 'refs/heads/main'

  test('assumes the role of its own GitHub environment only', () => {
    const githubNames = { dev: 'development', staging: 'staging', prod: 'production' }
    for (const environment of ENVIRONMENTS)
      for (const other of ENVIRONMENTS)
        expect(
          mayAssume(deployRoleOf(other), { sub: sub(`environment:${githubNames[environment]}`), ref: main }),
          `${environment} as ${other}`,
        ).toBe(environment === other)
  })

  test('deploys to production from main only, to others from any branch', () => {
    const branch = 'refs/heads/feature'
    expect(mayAssume(deployRoleOf('prod'), { sub: sub('environment:production'), ref: branch })).toBe(false)
    expect(mayAssume(deployRoleOf('dev'), { sub: sub('environment:development'), ref: branch })).toBe(true)
  })

  test('of a pull request can plan, but neither build nor deploy', () => {
    const claims = { sub: sub('pull_request'), ref: 'refs/pull/1/merge' }
    expect(mayAssume(GITHUB_ROLES.plan, claims)).toBe(true)
    for (const role of [GITHUB_ROLES.build, ...ENVIRONMENTS.map(deployRoleOf)])
      expect(mayAssume(role, claims), role).toBe(false)
  })
})

describe('the role that plans', () => {
  const bucket = `arn:aws:s3:::waggle-state-${id}-${region}`

  test('may read the state and settings of every environment, and write nothing', async () => {
    for (const environment of ENVIRONMENTS) {
      expect(await mayPlan('s3:GetObject', `${bucket}/${environment}/terraform.tfstate`)).toBe(true)
      expect(await mayPlan('ssm:GetParameter', parameter(environment, 'app/DATABASE_HOST'))).toBe(true)
      expect(await mayPlan('s3:PutObject', `${bucket}/${environment}/terraform.tfstate`)).toBe(false)
      expect(await mayPlan('ssm:GetParameter', parameter(environment, 'app/DATABASE_PASSWORD'))).toBe(false)
    }
    const actions = Object.values(policiesOf('prod', GITHUB_ROLES.plan)).flatMap((text) =>
      JSON.parse(text).Statement.flatMap(({ Action }: { Action: string | string[] }) => Action),
    )
    expect(actions.filter((action) => !/^\w+:(Describe|Get|List)/.test(action))).toEqual([])
  })
})

describe('a host', () => {
  test.each([
    ['dev', 'prod'],
    ['prod', 'dev'],
  ] as const)('of %s reads its own settings and secrets, and none of %s', async (environment, other) => {
    for (const [target, isOwn] of [
      [environment, true],
      [other, false],
    ] as const) {
      const { logs } = namesOf(target)
      const may = (...request: Request) => mayBounded(environment, ...request)
      expect(await may('ssm:GetParametersByPath', parameter(target, 'app'))).toBe(isOwn)
      expect(await may('ssm:PutParameter', parameter(target, 'ready/i-1'))).toBe(isOwn)
      const inNamespace = { 'cloudwatch:namespace': namesOf(target).metrics }
      expect(await may('cloudwatch:PutMetricData', '*', inNamespace)).toBe(isOwn)
      expect(await may('logs:PutLogEvents', arn('logs', `log-group:${logs.backend}:log-stream:x`))).toBe(
        isOwn,
      )
      expect(await may('secretsmanager:GetSecretValue', masterSecret, ofDatabase(target))).toBe(isOwn)
      const viaSsm = { 'kms:ViaService': `ssm.${region}.amazonaws.com` }
      expect(await may('kms:Decrypt', arn('kms', 'key/1'), { ...withTagsOf(target), ...viaSsm })).toBe(isOwn)
      expect(await mayHost(environment, 'app', 'ssm:GetParametersByPath', parameter(target, 'app'))).toBe(
        isOwn,
      )
    }
  })

  test('cannot get more than its boundary allows', async () => {
    for (const [action, resource] of [
      ['iam:CreateRole', iam('role/waggle-dev-x')],
      ['ec2:TerminateInstances', ec2('instance/i-1')],
      ['ssm:SendCommand', ec2('instance/i-1')],
      ['ssm:PutParameter', parameter('dev', 'release/current')],
      ['s3:GetObject', `arn:aws:s3:::waggle-state-${id}-${region}/dev/terraform.tfstate`],
      ['sts:AssumeRole', iam('role/admin')],
    ] as const)
      expect(await mayBounded('dev', action, resource), action).toBe(false)
  })

  test('with only Redis reads no secret but the password of Redis', async () => {
    for (const [action, path, isAllowed] of [
      ['ssm:GetParametersByPath', 'app', false],
      ['ssm:GetParametersByPath', 'role/redis', true],
      ['ssm:GetParameters', 'app/REDIS_PASSWORD', true],
      ['ssm:GetParameters', 'app/ECR_REGISTRY', true],
      ['ssm:GetParameters', 'app/DATABASE_PASSWORD', false],
      ['ssm:GetParameter', 'app/DATABASE_PASSWORD', false],
      ['ssm:GetParameter', 'app/SMTP_URL', false],
    ] as const)
      expect(await mayHost('dev', 'redis', action, parameter('dev', path)), `${action} ${path}`).toBe(
        isAllowed,
      )
    expect(await mayHost('dev', 'worker', 'ssm:GetParametersByPath', parameter('dev', 'app'))).toBe(true)
  })

  test('can stream the output of a rollout: the agent searches the log group first', async () => {
    const stream = arn('logs', `log-group:/waggle/dev/rollout:log-stream:x`)
    expect(await mayHost('dev', 'app', 'logs:DescribeLogGroups', '*')).toBe(true)
    expect(await mayHost('dev', 'app', 'logs:CreateLogStream', stream)).toBe(true)
    const flow = stacksOf('dev', 'single').environment.resource.aws_iam_role_policy['flow-policy'].policy
    expect(flow).toContain('logs:DescribeLogGroups')
  })
})

test('every role of an environment has the boundary of this environment', () => {
  for (const environment of ENVIRONMENTS)
    for (const layout of LAYOUTS) {
      const roles = Object.values(stacksOf(environment, layout).environment.resource.aws_iam_role)
      for (const role of roles as Record<string, string>[])
        expect(role.permissions_boundary, role.name).toBe(boundaryOf(environment))
    }
})

/**
 * Returns the decision for each request. A request that cannot be evaluated has the error as its decision.
 */
async function decisions(actor: Environment, requests: Record<string, Request>) {
  const result: Record<string, boolean | string> = {}
  for (const [name, request] of Object.entries(requests))
    result[name] = await mayDeploy(actor, ...request).catch(String)
  return result
}

const all = (requests: Record<string, Request>, decision: boolean) =>
  Object.fromEntries(Object.keys(requests).map((name) => [name, decision]))

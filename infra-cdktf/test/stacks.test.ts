// The contents of the stacks. The snapshots contain only the number of resources by type: a changed number is
// a change of the resources in AWS and of their cost.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { afterAll, describe, expect, test } from 'vitest'
import { APP_PARAMETERS, HEALTH_PATH, IMAGE_TAG, METRICS, namesOf, ROLE_PARAMETERS } from '../src/names.ts'
import { findingsIn } from '../src/rules/rules.ts'
import { topologyOf } from '../src/topology.ts'
import { configOf, type Json, LAYOUTS, synthesizeOne } from './support/layouts.ts'

const stacks = Object.fromEntries(
  LAYOUTS.map((layout) => [
    layout,
    { config: configOf('prod', layout), ...synthesizeOne(configOf('prod', layout)) },
  ]),
)
const { single, multi, high } = stacks as Record<string, NonNullable<(typeof stacks)[string]>> // one per layout
if (!single || !multi || !high) throw new Error('A layout is missing')

afterAll(() => {
  for (const { folder } of [single, multi, high]) rmSync(folder, { recursive: true, force: true })
})

const countsIn = (stack: Json) => {
  const counts = Object.entries<Json>(stack.resource).map(
    ([type, byId]) => [type, Object.keys(byId).length] as const,
  )
  return { ...Object.fromEntries(counts), total: counts.reduce((sum, [, count]) => sum + count, 0) }
}

test('the public address stays when an environment changes from one host to several', () => {
  for (const layout of ['single', 'multi'] as const)
    expect(Object.keys(stacks[layout]?.environment.resource.aws_eip), layout).toEqual(['edge-address'])
})

test.each(LAYOUTS)('the stack of the layout %s contains these resources', (layout) => {
  expect(countsIn(stacks[layout]?.environment)).toMatchSnapshot()
})

test('the shared stack contains these resources', () => {
  expect(countsIn(single.shared)).toMatchSnapshot()
})

test('an account without monthlyBudgetUsd has no budget', () => {
  const config = configOf('prod', 'single')
  const { folder, shared } = synthesizeOne({
    ...config,
    account: { ...config.account, monthlyBudgetUsd: undefined },
  })
  rmSync(folder, { recursive: true })
  expect(shared.resource).not.toHaveProperty('aws_budgets_budget')
  expect(single.shared.resource).toHaveProperty('aws_budgets_budget')
})

test('an account that already has an OIDC provider for GitHub keeps it', () => {
  const config = configOf('prod', 'single')
  const github = { ...config.account.github, existingProvider: true }
  const changed = { ...config, account: { ...config.account, github } }
  const { folder, shared } = synthesizeOne(changed)
  rmSync(folder, { recursive: true })
  expect(shared.resource).not.toHaveProperty('aws_iam_openid_connect_provider')
  expect(shared.data.aws_iam_openid_connect_provider.github.url).toBe(
    single.shared.resource.aws_iam_openid_connect_provider.github.url,
  )
  const [trust] = JSON.parse(shared.resource.aws_iam_role['github-build'].assume_role_policy).Statement
  expect(trust.Principal.Federated).toBe(`\${data.aws_iam_openid_connect_provider.github.arn}`)
  expect(findingsIn(shared, changed)).toEqual([])
})

test('environments of one account have no names in common', () => {
  const namesIn = (stack: Json) =>
    Object.entries<Json>(stack.resource).flatMap(([type, byId]) =>
      Object.values<Json>(byId).flatMap(({ name, identifier }) =>
        name || identifier ? [`${type} ${name ?? identifier}`] : [],
      ),
    )
  const dev = synthesizeOne(configOf('dev', 'multi'))
  rmSync(dev.folder, { recursive: true })
  // These names need to be unique only within their VPC, role or log group.
  const isUniqueInAccount = (line: string) =>
    !/^aws_(route53|iam_role_policy |cloudwatch_log_metric_filter)/.test(line)
  const ofDev = new Set(namesIn(dev.environment).filter(isUniqueInAccount))
  expect(namesIn(multi.environment).filter((line) => ofDev.has(line))).toEqual([])
})

test('log groups of production have names without a prefix', () => {
  const { aws_cloudwatch_log_group: groups } = single.environment.resource
  expect([groups['backend-logs'].name, groups['worker-logs'].name]).toEqual(['backend-logs', 'worker-logs'])
})

describe('settings of hosts', () => {
  test.each(LAYOUTS)('%s sets only known parameters, and the master secret only for the API', (layout) => {
    const { config, environment } = stacks[layout] ?? single
    const { paths } = namesOf('prod')
    const names = Object.values<Json>(environment.resource.aws_ssm_parameter).map(({ name }) => name)
    const known = [
      ...APP_PARAMETERS.map((name) => `${paths.app}/${name}`),
      ...topologyOf(config).roles.flatMap((role) =>
        ROLE_PARAMETERS.map((name) => `${paths.role(role)}/${name}`),
      ),
    ]
    expect(names.filter((name) => !known.includes(name))).toEqual([])
    const ofApi = `${paths.role(topologyOf(config).apiRole)}/MASTER_SECRET_ARN`
    expect(names.filter((name) => name.endsWith('/MASTER_SECRET_ARN'))).toEqual([ofApi])
  })

  const settingOf = ({ environment }: { environment: Json }, id: string) =>
    environment.resource.aws_ssm_parameter[id]?.value

  test('REDIS_HOST is the name under which Redis is reachable', () => {
    expect(settingOf(single, 'app-redis-host')).toBe('redis.waggle.internal')
    expect(settingOf(multi, 'app-redis-host')).toBe('redis.prod.waggle.internal')
    const { name, records } = multi.environment.resource.aws_route53_record['redis-name']
    expect([name, ...records]).toEqual(['redis.prod.waggle.internal', `\${aws_instance.redis.private_ip}`])
    expect(settingOf(high, 'app-redis-host')).toMatch(
      /aws_elasticache_replication_group\.cache\.primary_endpoint_address/,
    )
    expect(settingOf(high, 'app-redis-scheme')).toBe('rediss')
  })

  test('each role runs its services', () => {
    expect(settingOf(single, 'role-app-compose-profiles')).toBe('edge,api,worker,redis')
    expect(settingOf(multi, 'role-api-compose-profiles')).toBe('edge,api')
    expect(settingOf(multi, 'role-redis-compose-file')).toContain('docker-compose.hosts.yml')
    expect(settingOf(high, 'role-api-trusted-proxies')).toBe('2')
  })
})

describe('HTTPS on the host that clients reach', () => {
  const parametersOf = ({ environment }: { environment: Json }, name: string) =>
    Object.values<Json>(environment.resource.aws_ssm_parameter)
      .filter((parameter) => parameter.name.endsWith(`/${name}`))
      .map((parameter) => [parameter.name, parameter.value])
  const alarmOf = ({ environment }: { environment: Json }) =>
    environment.resource.aws_cloudwatch_metric_alarm['alarm-certificate']

  test.each([
    ['single', single, 'app'],
    ['multi', multi, 'api'],
  ] as const)('%s: the certificate is for the address of the host', (_, stack, role) => {
    const address = '${' + 'aws_eip.edge-address.public_ip}'
    expect(parametersOf(stack, 'DOMAIN')).toEqual([[`/waggle/prod/role/${role}/DOMAIN`, address]])
    expect(parametersOf(stack, 'ACME_EMAIL')).toEqual([
      [`/waggle/prod/role/${role}/ACME_EMAIL`, stack.config.account.email],
    ])
    // Releases before HTTPS lack these files, and a reboot after `apply` can start such a release.
    expect(JSON.stringify(parametersOf(stack, 'COMPOSE_FILE'))).not.toMatch(/https\.yml|workers/)
    expect(stack.environment.output.url.value).toBe(`https://${address}`)
    expect(alarmOf(stack)).toMatchObject({
      metric_name: METRICS.certificateLifetimeLeft,
      dimensions: { Environment: 'prod' },
      threshold: 20,
      period: 300,
      evaluation_periods: 12,
      treat_missing_data: 'breaching',
    })
  })

  test('with a domain, the certificate is for the domain', () => {
    const domain = { name: 'tasks.example.com', zoneId: 'Z0123456789' }
    const { folder, environment } = synthesizeOne(configOf('prod', 'single', { domain }))
    rmSync(folder, { recursive: true })
    expect(parametersOf({ environment }, 'DOMAIN')).toEqual([['/waggle/prod/role/app/DOMAIN', domain.name]])
    expect(environment.output.url.value).toBe(`https://${domain.name}`)
  })

  test('a failed order of a certificate is no unexpected error', () => {
    const { pattern } = single.environment.resource.aws_cloudwatch_log_metric_filter['backend-errors']
    expect(pattern).toBe('{ ($.level >= 50) && ($.role != "certificates") }')
  })

  test('behind a load balancer, hosts have no certificate', () => {
    expect(parametersOf(high, 'DOMAIN')).toEqual([])
    expect(alarmOf(high)).toBeUndefined()
  })
})

test('nginx keeps idle connections for longer than the load balancer, which otherwise uses closed ones: 502', () => {
  const nginx = readFileSync(new URL('../../docker/nginx.conf', import.meta.url), 'utf8')
  const keptSeconds = Number(/^ *keepalive_timeout (\d+)s;$/m.exec(nginx)?.[1])
  const { idle_timeout: idleSeconds } = high.environment.resource.aws_lb.balancer
  expect(idleSeconds).toBeGreaterThan(0)
  expect(keptSeconds).toBeGreaterThan(idleSeconds)
})

test('the dashboard contains hosts, database, tasks and both logs', () => {
  const { widgets } = JSON.parse(multi.environment.resource.aws_cloudwatch_dashboard.dashboard.dashboard_body)
  const body = JSON.stringify(widgets)
  for (const metric of [
    'CPUUtilization',
    'NetworkIn',
    'NetworkOut',
    'StatusCheckFailed',
    'FreeableMemory',
    'DatabaseConnections',
    'ReadIOPS',
    'WriteIOPS',
    METRICS.queueDepth,
    METRICS.oldestWaiting,
    METRICS.taskFailures,
  ])
    expect(body).toContain(metric)
  expect(body).toContain("SOURCE 'backend-logs'")
  expect(body).toContain("SOURCE 'worker-logs'")
  for (const { x, width } of widgets) expect(x + width).toBeLessThanOrEqual(24)
})

test('the rollout document accepts only a commit', () => {
  const { parameters, mainSteps } = JSON.parse(single.environment.resource.aws_ssm_document.rollout.content)
  expect(parameters.tag.allowedPattern).toBe(IMAGE_TAG)
  expect(new RegExp(IMAGE_TAG).test("abc1234'; rm -rf /")).toBe(false)
  expect(mainSteps[0].inputs.runCommand.at(-1)).toBe("/usr/local/sbin/waggle-host rollout '{{ tag }}'")
})

test('the AMI matches the configured architecture', () => {
  expect(single.environment.data.aws_ssm_parameter.image.name).toContain('/arm64/')
  const { folder, environment } = synthesizeOne(
    configOf('prod', 'single', { hosts: { instanceType: 't3.small', architecture: 'x86_64', rootGb: 30 } }),
  )
  rmSync(folder, { recursive: true })
  expect(environment.data.aws_ssm_parameter.image.name).toContain('/amd64/')
})

test('neither a newer AMI nor a changed bootstrap script replaces a host', () => {
  expect(single.environment.resource.aws_instance.app).toMatchObject({
    user_data_replace_on_change: false,
    lifecycle: { ignore_changes: ['ami', 'user_data_base64', 'associate_public_ip_address'] },
  })
})

// The emulator of AWS shows none of these.
describe('on AWS', () => {
  const { environment } = high

  test('another architecture replaces the hosts, which would not start with the image of the old one', () => {
    expect(environment.resource.terraform_data.architecture.input).toEqual({ architecture: 'arm64' })
    for (const instance of Object.values<Json>(environment.resource.aws_instance))
      expect(instance.lifecycle.replace_triggered_by).toEqual(['terraform_data.architecture'])
  })

  test('a minor version of Valkey that AWS has installed does not replace the cache', () => {
    const { lifecycle } = environment.resource.aws_elasticache_replication_group.cache
    expect(lifecycle.ignore_changes).toEqual(['engine_version'])
  })

  test('a new major version of PostgreSQL is an upgrade, and no change waits for a maintenance window', () => {
    expect(environment.resource.aws_db_instance.database).toMatchObject({
      allow_major_version_upgrade: true,
      apply_immediately: true,
    })
    const [{ lifecycle, parameter }] = Object.values<Json>(environment.resource.aws_db_parameter_group)
    expect(lifecycle.create_before_destroy).toBe(true)
    // The method that RDS reports for it; with another one, every plan would show a change.
    expect(parameter).toContainEqual({
      name: 'rds.force_ssl',
      value: '1',
      apply_method: 'pending-reboot',
    })
  })

  test('PostgreSQL has room for the locks on all partitions', () => {
    const [{ parameter }] = Object.values<Json>(environment.resource.aws_db_parameter_group)
    expect(parameter).toContainEqual({
      name: 'max_locks_per_transaction',
      value: '512',
      apply_method: 'pending-reboot',
    })
  })

  test('the key can be created before AWS has created the role of auto scaling', () => {
    for (const key of Object.values<Json>(environment.resource.aws_kms_key))
      for (const { Principal } of JSON.parse(key.policy).Statement)
        expect(JSON.stringify(Principal)).not.toContain('AWSServiceRole')
  })

  test.each(['dev', 'prod'] as const)(
    'a new host, which has no CPU credits, causes no alarm in %s',
    (name) => {
      const { folder, environment } = synthesizeOne(configOf(name, 'single'))
      rmSync(folder, { recursive: true })
      const alarm = environment.resource.aws_cloudwatch_metric_alarm['alarm-app-credits']
      // A t4g.small earns 24 credits per hour.
      if (name === 'dev')
        expect(alarm.threshold).toBeLessThan((24 * alarm.evaluation_periods * alarm.period) / 3_600)
      else expect(alarm).toMatchObject({ metric_name: 'CPUSurplusCreditBalance', threshold: 100 })
    },
  )

  test('tags of a root disk are only those of the provider, which it reads back together', () => {
    for (const instance of Object.values<Json>(environment.resource.aws_instance))
      expect(instance.root_block_device).not.toHaveProperty('tags')
  })

  test('a newer image does not change the launch template of scaled workers', () => {
    const [{ image_id }] = Object.values<Json>(environment.resource.aws_launch_template)
    expect(image_id).toMatch(/^resolve:ssm:/)
  })
})

test('the load balancer, nginx and rollouts use one health path, rollouts with GET and HEAD', () => {
  expect(high.environment.resource.aws_lb_target_group['balancer-targets'].health_check.path).toBe(
    HEALTH_PATH,
  )
  for (const file of ['locations.conf', 'https.conf'])
    expect(readFileSync(new URL(`../../docker/nginx/${file}`, import.meta.url), 'utf8'), file).toContain(
      `^${HEALTH_PATH}(/live)?$`,
    )
  const rollout = readFileSync(new URL('../../docker/rollout.sh', import.meta.url), 'utf8')
  expect(rollout).toMatch(/for verb in GET HEAD/)
  expect(rollout).toContain(`${HEALTH_PATH} HTTP/1.1`)
})

test('bindings are imported by folder, because importing the whole package takes seven seconds', () => {
  const folder = new URL('../src/', import.meta.url)
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )
  expect(sources.length).toBeGreaterThan(30)
  expect(
    sources.filter((file) => /from '@cdktf\/provider-aws'/.test(readFileSync(new URL(file, folder), 'utf8'))),
  ).toEqual([])
})

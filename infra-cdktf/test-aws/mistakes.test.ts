// Mistakes that only the real provider finds: the schema of the bindings allows them.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configOf, type Json, synthesizeOne } from '../test/support/layouts.ts'
import { startMoto } from './support/moto.ts'
import { hasProvider, terraformFor } from './support/provider.ts'

const moto = hasProvider() ? await startMoto() : undefined
const { folder, environment } = synthesizeOne({ ...configOf('staging', 'high'), target: 'emulator' })
const stack = join(folder, 'stacks/staging')

afterAll(async () => {
  await moto?.stop()
  rmSync(folder, { recursive: true })
})

/** A mistake, the command that finds it, and the message. */
const mistakes: [string, 'validate' | 'plan', (resource: Json) => void, RegExp][] = [
  [
    'a version of Valkey without a minor version',
    'plan',
    (r) => {
      r.aws_elasticache_replication_group.cache.engine_version = '8'
    },
    /For Valkey use <major>\.<minor>/,
  ],
  [
    'a name of a target group that is too long',
    'validate',
    (r) => {
      r.aws_lb_target_group['balancer-targets'].name = 'waggle-staging-targets-of-the-balancer'
    },
    /"name" cannot be longer than 32 characters/,
  ],
  [
    'a range that is no network',
    'validate',
    (r) => {
      r.aws_subnet['public-0'].cidr_block = '10.40.0.1/24'
    },
    /is not a valid IPv4 CIDR block/,
  ],
  [
    'a retention period that CloudWatch does not have',
    'validate',
    (r) => {
      r.aws_cloudwatch_log_group['flow-logs'].retention_in_days = 31
    },
    /expected retention_in_days to be one of/,
  ],
  [
    'a policy that is not JSON',
    'validate',
    (r) => {
      r.aws_iam_role_policy['api-policy'].policy = '{"Version":'
    },
    /contains an invalid JSON/,
  ],
  [
    'an identifier of a database with a capital letter',
    'validate',
    (r) => {
      r.aws_db_instance.database.identifier = 'Waggle-staging'
    },
    /only lowercase alphanumeric characters and hyphens allowed in "identifier"/,
  ],
  [
    'a type of traffic that flow logs do not have',
    'validate',
    (r) => {
      r.aws_flow_log.flow.traffic_type = 'REJECTED'
    },
    /expected traffic_type to be one of/,
  ],
  [
    'a comparison that alarms do not have',
    'validate',
    (r) => {
      r.aws_cloudwatch_metric_alarm['alarm-workers'].comparison_operator = 'LowerThanThreshold'
    },
    /expected comparison_operator to be one of/,
  ],
  [
    'an alarm without a metric',
    'plan',
    (r) => {
      delete r.aws_cloudwatch_metric_alarm['alarm-workers'].metric_name
    },
    /metric_name|metric_query/,
  ],
]

describe.skipIf(!moto)('the real provider finds', () => {
  const terraform = moto ? terraformFor(moto) : undefined
  beforeAll(async () => {
    expect(await terraform?.(stack, 'init')).toMatchObject({ code: 0 })
  })

  test.each(mistakes)('%s', async (_mistake, command, make, message) => {
    const changed = structuredClone(environment)
    make(changed.resource)
    writeFileSync(join(stack, 'cdk.tf.json'), JSON.stringify(changed))
    const outcome = await terraform?.(stack, command)
    expect(outcome?.output.replace(/\s+/g, ' ')).toMatch(message)
    expect(outcome?.code).toBe(1)
  })
})

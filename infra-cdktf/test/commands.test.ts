// The commands, run as processes, and the cases that they reject. test-aws/ plans, applies and destroys.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { account } from '../account.ts'
import { environments } from '../environments.ts'
import { dataLossesIn, type Plan } from '../src/commands/data-loss.ts'
import { digestOf, type PlannedChanges } from '../src/commands/plan-digest.ts'
import { EXAMPLE_ACCOUNT } from '../src/commands/stack.ts'
import { readConfig, readConfigs } from '../src/config/project.ts'
import { synthesizeOne } from './support/layouts.ts'

const output = mkdtempSync(join(tmpdir(), 'waggle-commands-'))
const { folder, environment } = synthesizeOne(readConfig({ account, environments }, 'dev', 'emulator'))

afterAll(() => {
  for (const path of [output, folder]) rmSync(path, { recursive: true, force: true })
})

const infra = (...args: string[]) => run(...args, '--output', output)

function run(...args: string[]): Promise<{ code: number; output: string }> {
  const program = new URL('../main.ts', import.meta.url).pathname
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, stdout, stderr) =>
      resolve({
        code: error ? Number(error.code) : 0,
        output: stdout + stderr,
      }),
    )
  })
}

test('with an emulator no account is validated, and the state is a local file', () => {
  expect(environment.provider.aws[0]).toMatchObject({
    skip_credentials_validation: true,
    skip_requesting_account_id: true,
    s3_use_path_style: true,
  })
  expect(environment.provider.aws[0].allowed_account_ids).toBeUndefined()
  expect(environment.terraform.backend).toHaveProperty('local')
})

test('synth prints the path of the Terraform JSON, which configures the state in S3', async () => {
  const result = await infra('synth', 'prod')
  expect(result).toEqual({ code: 0, output: `${output}/stacks/prod/cdk.tf.json\n` })
  const { terraform } = JSON.parse(readFileSync(result.output.trim(), 'utf8'))
  expect(terraform.backend.s3).toMatchObject({
    use_lockfile: true,
    encrypt: true,
    key: 'prod/terraform.tfstate',
  })
  expect(terraform.required_providers.aws.version).toBe('~> 6.25')
})

test('synth without a name prints the paths of all stacks', async () => {
  const { code, output: printed } = await infra('synth')
  const paths = ['shared', 'dev', 'staging', 'prod'].map((name) => `${output}/stacks/${name}/cdk.tf.json\n`)
  expect({ code, printed }).toEqual({ code: 0, printed: paths.join('') })
  for (const path of paths) expect(existsSync(path.trim()), path).toBe(true)
})

test('an environment that is not configured is rejected', () => {
  const { dev, ...others } = environments
  expect(readConfigs({ account, environments: others }).map(({ name }) => name)).toEqual(['staging', 'prod'])
  expect(() => readConfig({ account, environments: others }, 'dev')).toThrow(
    'environments.ts has no environment "dev"; it has staging, prod',
  )
})

describe('a command is rejected', () => {
  test.each([
    [['destroy', 'prod', '--yes'], 'This command does not destroy prod'],
    [['destroy', 'shared', '--yes'], 'This command does not destroy shared'],
    [['adopt', 'shared'], 'The stack shared has no database'],
    [['plan', 'production'], 'No stack is named "production"; known are shared, dev, staging, prod'],
    [['apply', 'prod', '--first'], '--first is only valid for the stack shared'],
    [['plan'], 'Usage:'],
    [['synth', 'prod', 'dev'], 'Usage:'],
  ])('with the arguments %j', async (args, message) => {
    expect(await infra(...args)).toMatchObject({ code: 1, output: expect.stringContaining(message) })
  })

  test.each([['deploy', 'prod'], ['rollout'], ['restore', 'prod']])('that is %j', async (...args) => {
    expect(await run(...args)).toMatchObject({ code: 1, output: expect.stringMatching(/^Usage:/) })
  })

  test.skipIf(account.id !== EXAMPLE_ACCOUNT)('with the account of the example', async () => {
    const { code, output } = await infra('plan', 'prod')
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('infra-cdktf/account.ts: id is still the account of the example'),
    ])
  })
})

describe('the digest of a plan', () => {
  const digest = (...changes: NonNullable<PlannedChanges['resource_changes']>[number]['change'][]) =>
    digestOf({ resource_changes: changes.map((change, index) => ({ address: `aws_vpc.${index}`, change })) })
  const update = { actions: ['update'], before: { a: 0, b: 2 }, after: { a: 1, b: 2 } }

  test('changes with any planned action or value', () => {
    const first = digest(update)
    expect(digest({ ...update, after: { b: 2, a: 1 } })).toBe(first)
    expect(digest({ ...update, after: { a: 3, b: 2 } })).not.toBe(first)
    expect(digest({ ...update, after_unknown: { c: true } })).not.toBe(first)
    expect(digest({ ...update, actions: ['delete', 'create'] })).not.toBe(first)
    expect(digest(update, { actions: ['delete'], before: { a: 1 }, after: null })).not.toBe(first)
    expect(digest({ actions: ['no-op'] }, update)).not.toBe(first)
  })

  test('ignores values that are read again and not planned', () => {
    const other = { ...update, before: { a: 0, b: 5 }, after: { a: 1, b: 5 } }
    expect(digest(other)).toBe(digest(update))
    const unchanged = (capacity: number) => ({
      actions: ['no-op'],
      before: { capacity },
      after: { capacity },
    })
    expect(digest(update, unchanged(2))).toBe(digest(update, unchanged(3)))
  })
})

describe('a plan', () => {
  const planOf = (type: string, ...actions: string[]): Plan => ({
    resource_changes: [{ address: `${type}.main`, type, change: { actions } }],
  })

  test.each([
    'aws_db_instance',
    'aws_ebs_volume',
    'aws_elasticache_replication_group',
    'aws_kms_key',
    'aws_s3_bucket',
  ])('that deletes, replaces or forgets %s loses data', (type) => {
    expect(dataLossesIn(planOf(type, 'delete'), [])).toEqual([{ address: `${type}.main`, action: 'delete' }])
    expect(dataLossesIn(planOf(type, 'delete', 'create'), [])).toEqual([
      { address: `${type}.main`, action: 'replace' },
    ])
    expect(dataLossesIn(planOf(type, 'create', 'delete'), [])).toHaveLength(1)
    expect(dataLossesIn(planOf(type, 'forget'), [])).toHaveLength(1)
  })

  test('may delete a resource with data if mayLose contains its address', () => {
    expect(dataLossesIn(planOf('aws_db_instance', 'delete'), ['aws_db_instance.main'])).toEqual([])
    expect(dataLossesIn(planOf('aws_db_instance', 'delete'), ['aws_db_instance.other'])).toHaveLength(1)
  })

  test('may create, update and read resources with data, and replace resources without data', () => {
    for (const action of ['create', 'update', 'read', 'no-op']) {
      expect(dataLossesIn(planOf('aws_db_instance', action), [])).toEqual([])
    }
    expect(dataLossesIn(planOf('aws_instance', 'delete', 'create'), [])).toEqual([])
    expect(dataLossesIn({}, [])).toEqual([])
  })
})

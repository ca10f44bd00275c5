// The commands, as a person types them, and what they refuse.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type Plan, refusalsIn } from '../src/commands/gate.ts'
import { EXAMPLE_ACCOUNT } from '../src/commands/stack.ts'
import { account } from '../src/config/account.ts'
import { readConfigs } from '../src/synthesize.ts'
import { makeMirror } from './offline-provider/mirror.ts'
import { synthesizeOne } from './support/layouts.ts'
import { hasTerraform } from './support/terraform.ts'

const output = mkdtempSync(join(tmpdir(), 'waggle-commands-'))
const [dev] = readConfigs('emulator')
if (!dev) throw new Error('There is no dev')
const { folder, environment } = synthesizeOne(dev)
const standIn = await makeMirror(join(output, 'mirror'), [environment]).start()
const env = { ...standIn.env, AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' }

afterAll(() => {
  standIn.stop()
  for (const one of [output, folder]) rmSync(one, { recursive: true, force: true })
})

function infra(...args: string[]): Promise<{ code: number; output: string }> {
  const program = new URL('../src/commands/main.ts', import.meta.url).pathname
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args, '--output', output], { env }, (error, stdout, stderr) =>
      resolve({
        code: error ? Number(error.code) : 0,
        output: stdout + stderr,
      }),
    )
  })
}

test('an emulator is taken without accounts, and its state is a file', () => {
  expect(environment.provider.aws[0]).toMatchObject({
    skip_credentials_validation: true,
    skip_requesting_account_id: true,
    s3_use_path_style: true,
  })
  expect(environment.provider.aws[0].allowed_account_ids).toBeUndefined()
  expect(environment.terraform.backend).toHaveProperty('local')
})

test.skipIf(!hasTerraform)('an environment is planned, applied once, and destroyed', async () => {
  expect(await infra('plan', 'dev', '--emulator')).toMatchObject({
    code: 0,
    output: expect.stringMatching(/Plan: \d+ to add/),
  })
  expect(await infra('apply', 'dev', '--emulator')).toMatchObject({
    code: 0,
    output: expect.stringContaining('Apply complete!'),
  })
  expect(await infra('apply', 'dev', '--emulator')).toEqual({
    code: 1,
    output: 'There is no plan of dev yet: npm run infra:plan -- dev\n',
  })
  const destroyed = await infra('destroy', 'dev', '--emulator', '--yes')
  expect(destroyed.output).toMatch(/Destroy complete![\s\S]*in the snapshot waggle-dev-final-\d{12}\n$/)
  const json = readFileSync(join(output, 'stacks/dev/cdk.tf.json'), 'utf8')
  expect(JSON.parse(json).resource.aws_db_instance.database).toMatchObject({
    deletion_protection: false,
    skip_final_snapshot: false,
  })
})

test('synth says where the Terraform is, and what the state is kept in', async () => {
  const said = await infra('synth', 'prod')
  expect(said).toEqual({ code: 0, output: `${output}/stacks/prod/cdk.tf.json\n` })
  const { terraform } = JSON.parse(readFileSync(said.output.trim(), 'utf8'))
  expect(terraform.backend.s3).toMatchObject({
    use_lockfile: true,
    encrypt: true,
    key: 'prod/terraform.tfstate',
  })
  expect(terraform.required_providers.aws.version).toBe('~> 6.25')
})

describe('refused', () => {
  test.each([
    [['destroy', 'prod', '--yes'], 'prod is not destroyed by a command'],
    [['destroy', 'shared', '--yes'], 'shared holds the state'],
    [['plan', 'production'], 'There is no stack "production", only shared, dev, staging, prod'],
    [['apply', 'prod', '--first'], 'Only shared has a first time'],
    [['plan'], 'Usage:'],
    [['deploy', 'prod'], 'Usage:'],
  ])('%j', async (args, message) => {
    expect(await infra(...args)).toMatchObject({ code: 1, output: expect.stringContaining(message) })
  })

  test.skipIf(account.id !== EXAMPLE_ACCOUNT)('the account of the example', async () => {
    const { code, output } = await infra('plan', 'prod')
    expect([code, output]).toEqual([
      1,
      expect.stringContaining('src/config/account.ts: id is still that of the example'),
    ])
  })
})

describe('a plan that would lose data', () => {
  const planOf = (type: string, ...actions: string[]): Plan => ({
    resource_changes: [{ address: `${type}.one`, type, change: { actions } }],
  })

  test.each(['aws_db_instance', 'aws_ebs_volume', 'aws_s3_bucket', 'aws_kms_key'])(
    'of %s is refused',
    (type) => {
      expect(refusalsIn(planOf(type, 'delete'), [])).toEqual([{ address: `${type}.one`, does: 'delete' }])
      expect(refusalsIn(planOf(type, 'delete', 'create'), [])).toEqual([
        { address: `${type}.one`, does: 'replace' },
      ])
      expect(refusalsIn(planOf(type, 'create', 'delete'), [])).toHaveLength(1)
      expect(refusalsIn(planOf(type, 'forget'), [])).toHaveLength(1)
    },
  )

  test('is let through where its address is named', () => {
    expect(refusalsIn(planOf('aws_db_instance', 'delete'), ['aws_db_instance.one'])).toEqual([])
    expect(refusalsIn(planOf('aws_db_instance', 'delete'), ['aws_db_instance.other'])).toHaveLength(1)
  })

  test('is none where data are made, changed or only looked at', () => {
    for (const action of ['create', 'update', 'read', 'no-op']) {
      expect(refusalsIn(planOf('aws_db_instance', action), [])).toEqual([])
    }
    expect(refusalsIn(planOf('aws_instance', 'delete', 'create'), [])).toEqual([])
    expect(refusalsIn({}, [])).toEqual([])
  })
})

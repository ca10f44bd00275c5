// The commands destroy and adopt, run as processes with fakes of Terraform and the AWS CLI.
import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'

const MAIN = new URL('../main.ts', import.meta.url).pathname

// Each records its arguments. Terraform lists the resources of a file.
const TERRAFORM = `#!/bin/sh
echo "terraform $*" >> "$FAKES/calls"
case "$1 $2" in
  'state list') cat "$FAKES/resources" ;;
esac
`
const AWS = `#!/bin/sh
echo "aws $*" >> "$FAKES/calls"
case "$1 $2" in
  'ssm get-parameters-by-path') cat "$FAKES/reports" ;;
  'ec2 describe-instances') echo '{"Reservations": []}' ;;
  'rds describe-db-instances') cat "$FAKES/database" 2> /dev/null || {
    echo 'An error occurred (DBInstanceNotFound) when calling the DescribeDBInstances operation' >&2
    exit 254
  } ;;
esac
`

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-destroy-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, script] of Object.entries({ terraform: TERRAFORM, aws: AWS })) {
    mkdirSync(join(folder, 'bin'), { recursive: true })
    writeFileSync(join(folder, 'bin', name), script)
    chmodSync(join(folder, 'bin', name), 0o755)
  }
  fake('resources', 'aws_vpc.vpc\naws_db_instance.database\n')
  fake('reports', JSON.stringify({ Parameters: [] }))
})

const fake = (name: string, content: string) => writeFileSync(join(folder, name), content)
const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')

function infra(...args: string[]): Promise<{ code: number; output: string }> {
  const env = {
    ...process.env,
    PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}`,
    FAKES: folder,
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args, '--emulator', '--output', join(folder, 'out')],
      { env },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    )
  })
}

describe('destroy', () => {
  test('deletes the releases and the reports of hosts last, so that a later environment starts without them', async () => {
    const Name = '/waggle/dev/ready/i-0123456789abcdef0'
    fake('reports', JSON.stringify({ Parameters: [{ Name, Value: '1111111' }] }))
    const { code, output } = await infra('destroy', 'dev', '--yes')
    expect(code, output).toBe(0)
    expect(output).toMatch(/The final snapshot of its database is waggle-dev-final-\d{12}\n$/)
    const all = calls()
    const deletions = all.filter((call) => call.startsWith('aws ssm delete-parameters'))
    expect(deletions).toEqual([
      expect.stringContaining('--names /waggle/dev/release/current /waggle/dev/release/previous '),
      expect.stringContaining(`--names ${Name} `),
    ])
    const destroyed = all.findIndex((call) => call.startsWith('terraform destroy'))
    expect(destroyed).toBeGreaterThan(-1)
    expect(all.findIndex((call) => call.startsWith('aws '))).toBeGreaterThan(destroyed)
  })

  test('that is repeated names no snapshot, because it takes none', async () => {
    fake('resources', '')
    const { code, output } = await infra('destroy', 'dev', '--yes')
    expect(code, output).toBe(0)
    expect(output).not.toContain('final')
    expect(output).toContain('dev is destroyed')
    expect(calls().some((call) => call.startsWith('terraform apply'))).toBe(false)
  })
})

describe('adopt', () => {
  const database = (DBInstanceStatus: string) =>
    JSON.stringify({
      DBInstances: [
        {
          DBInstanceIdentifier: 'waggle-dev',
          DBInstanceStatus,
          DBInstanceClass: 'db.t4g.micro',
          DbiResourceId: 'db-1',
          EngineVersion: '17.6',
          DBSubnetGroup: { DBSubnetGroupName: 'waggle-dev' },
          DBParameterGroups: [{ DBParameterGroupName: 'waggle-dev-17-1' }],
          VpcSecurityGroups: [],
          BackupRetentionPeriod: 7,
        },
      ],
    })

  test('replaces the database in the state by the one that has its name', async () => {
    fake('database', database('available'))
    const { code, output } = await infra('adopt', 'dev')
    expect(code, output).toBe(0)
    expect(calls().slice(-2)).toEqual([
      'terraform state rm aws_db_instance.database',
      'terraform import -input=false aws_db_instance.database waggle-dev',
    ])
  })

  test.each([
    ['does not exist', undefined, 'The database waggle-dev does not exist'],
    ['is not available', 'renaming', 'The database waggle-dev is renaming'],
  ])('keeps the state if the database %s', async (_, status, message) => {
    if (status) fake('database', database(status))
    const { code, output } = await infra('adopt', 'dev')
    expect(code).toBe(1)
    expect(output).toContain(message)
    expect(existsSync(join(folder, 'calls')) ? calls().join() : '').not.toMatch(/state rm|import/)
  })
})

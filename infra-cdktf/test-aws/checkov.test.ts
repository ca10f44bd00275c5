// checkov, a public collection of security rules, finds nothing in the synthesized Terraform but for the
// exceptions below.
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { configOf, type Json, LAYOUTS, synthesizeOne } from '../test/support/layouts.ts'
import { programsOf } from './support/tools.ts'

const OWN_KEY = 'the AWS-managed key encrypts it by default; kms "cmk" selects a key of its own'

/** Rules of checkov that do not apply, with the reason. Each is found at least once, or the test fails. */
const EXCEPTIONS: Record<string, string> = {
  CKV_AWS_18: 'access logs need a second bucket; only the workflows and administrators can read the state',
  CKV_AWS_88: 'with egress "public-ip" hosts have public addresses, which cost less than a NAT gateway',
  CKV_AWS_91: 'nginx logs every request',
  CKV_AWS_136: 'images: ECR encrypts them with AES-256; the shared stack has no key of its own',
  CKV_AWS_144: 'the state is small, versioned, and can be imported again',
  CKV_AWS_145: 'state: S3 encrypts it with AES-256; the shared stack has no key of its own',
  CKV_AWS_157: 'a second zone doubles the price of the database; availability "high" selects it',
  CKV_AWS_158: `logs: ${OWN_KEY}`,
  CKV_AWS_189: `volume: ${OWN_KEY}`,
  CKV_AWS_260: 'port 80 redirects to HTTPS, and responds to the challenges of the certificate authority',
  CKV_AWS_338: 'logs.retentionDays selects how long logs are kept; 30 days by default',
  CKV_AWS_354: `performance insights: ${OWN_KEY}`,
  CKV2_AWS_28: 'a web application firewall costs more than a host; the API has keys and a rate limit',
  CKV2_AWS_34: 'these parameters are settings; scripts/secrets.ts stores secrets as SecureStrings',
  CKV2_AWS_62: 'nothing consumes events of the state bucket',
}

interface Finding {
  check_id: string
  check_name: string
  resource: string
  file_path: string
}

const programs = programsOf('checkov')
const folder = mkdtempSync(join(tmpdir(), 'waggle-checkov-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe.skipIf(!programs)('checkov', () => {
  test('finds nothing but the exceptions', async () => {
    for (const layout of LAYOUTS) {
      const synthesized = synthesizeOne(configOf('prod', layout))
      write(layout, synthesized.environment)
      write('shared', synthesized.shared)
      rmSync(synthesized.folder, { recursive: true })
    }
    const findings = await check()
    const isException = ({ check_id }: Finding) => check_id in EXCEPTIONS
    expect(
      findings
        .filter((finding) => !isException(finding))
        .map(
          ({ check_id, check_name, file_path, resource }) =>
            `${file_path} ${resource}: ${check_id} ${check_name}`,
        ),
    ).toEqual([])
    expect([...new Set(findings.map(({ check_id }) => check_id))].sort()).toEqual(
      Object.keys(EXCEPTIONS).sort(),
    )
  })

  test.each([
    [
      'a public bucket',
      'CKV_AWS_54',
      'shared',
      (r: Json) => {
        r.aws_s3_bucket_public_access_block['state-is-private'].block_public_policy = false
      },
    ],
    [
      'a database without encryption',
      'CKV_AWS_16',
      'high',
      (r: Json) => {
        r.aws_db_instance.database.storage_encrypted = false
      },
    ],
    [
      'a policy that allows everything',
      'CKV_AWS_62',
      'high',
      (r: Json) => {
        r.aws_iam_role_policy['api-policy'].policy = JSON.stringify({
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }],
        })
      },
    ],
  ] as const)('finds %s', async (_mistake, id, stack, change) => {
    const synthesized = synthesizeOne(configOf('prod', 'high'))
    const json = stack === 'shared' ? synthesized.shared : synthesized.environment
    change(json.resource)
    rmSync(join(folder, 'shared'), { recursive: true, force: true })
    for (const layout of LAYOUTS) rmSync(join(folder, layout), { recursive: true, force: true })
    write(stack, json)
    rmSync(synthesized.folder, { recursive: true })
    expect((await check()).map(({ check_id }) => check_id)).toContain(id)
  })
})

/**
 * Writes the resources only: checkov cannot read the sections `provider` and `terraform` as cdktf writes
 * them.
 */
function write(name: string, { resource, data = {} }: Json): void {
  mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, name, 'cdk.tf.json'), JSON.stringify({ resource, data }, null, 2))
}

function check(): Promise<Finding[]> {
  const options = ['--framework', 'terraform_json', '--skip-download', '--quiet', '--compact', '-o', 'json']
  return new Promise((resolve, reject) => {
    execFile(
      join(programs ?? '', 'checkov'),
      ['-d', folder, ...options],
      { maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        // Exit code 1 means that something was found.
        if (error && error.code !== 1) return reject(new Error(stderr))
        const { results, summary } = JSON.parse(stdout)
        if (summary.parsing_errors > 0) return reject(new Error('checkov could not read the Terraform'))
        resolve(results.failed_checks)
      },
    )
  })
}

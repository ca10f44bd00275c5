// A project on AWS, from the packed package to its Terraform, which is that of this repository.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const PACKAGES = join(ROOT, 'infra-cdktf/node_modules')
const STACKS = ['shared', 'prod', 'staging', 'dev']
const hasTerraform = spawnSync('terraform', ['version']).status === 0
const parent = mkdtempSync(join(tmpdir(), 'waggle-aws-'))
const project = join(parent, 'my-tasks')
const infra = join(project, 'infra-cdktf')

afterAll(() => rmSync(parent, { recursive: true, force: true }))

function npm(args: string[], folder = project): string {
  return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs a script of the project without credentials of AWS. */
function runScript(args: string[], path = process.env.PATH) {
  const { status, stdout, stderr } = spawnSync('npm', ['run', '-s', ...args], {
    cwd: project,
    encoding: 'utf8',
    env: { PATH: path, HOME: parent, AWS_EC2_METADATA_DISABLED: 'true' },
  })
  return { status, stdout, stderr }
}

function edit(path: string, changes: [from: string | RegExp, to: string][]) {
  let text = readFileSync(join(infra, path), 'utf8')
  for (const [from, to] of changes) {
    const edited = text.replace(from, to)
    expect(edited, String(from)).not.toBe(text)
    text = edited
  }
  writeFileSync(join(infra, path), text)
}

/** The packages have 700 MB, so those of this repository are used if it has installed them. */
function installCdktf() {
  if (existsSync(PACKAGES)) symlinkSync(PACKAGES, join(infra, 'node_modules'))
  else npm(['install', '--prefix', 'infra-cdktf', '--prefer-offline', '--no-audit', '--no-fund'])
}

const stackIn = (folder: string, name: string) =>
  JSON.parse(readFileSync(join(folder, 'stacks', name, 'cdk.tf.json'), 'utf8'))

beforeAll(() => {
  npm(['exec', '--yes', '--package', inject('tarball'), '--', 'waggle', 'init', 'my-tasks', '--aws'], parent)
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund'])
})

test('without cdktf a command says how to install it', () => {
  expect(runScript(['infra:synth'])).toEqual({
    status: 1,
    stdout: '',
    stderr: `cdktf is not installed in ${infra}. Run: npm install --prefix infra-cdktf\n`,
  })
})

describe('with cdktf', () => {
  beforeAll(installCdktf, 600_000)

  test('the account of the example is rejected before anything runs', () => {
    expect(runScript(['infra:plan', '--', 'prod'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('infra-cdktf/account.ts: id is still the account of the example'),
    })
  })

  test('the files compile when they are filled in', () => {
    edit('account.ts', [
      ['123456789012', '111122223333'],
      ['your-name', 'octo-org'],
      ['you@example.com', 'operator@example.com'],
    ])
    edit('environments.ts', [
      ['// staging: ', 'staging: '],
      ['// dev: ', 'dev: '],
      ['// workers: ', 'workers: '],
    ])
    npm(['run', 'types'])
  })

  test('a key that does not exist is an error of the compiler', () => {
    const text = readFileSync(join(infra, 'account.ts'), 'utf8')
    onTestFinished(() => writeFileSync(join(infra, 'account.ts'), text))
    edit('account.ts', [['region:', 'regoin:']])
    expect(runScript(['types']).stdout).toContain("'regoin'")
  })

  test('infra:synth writes the Terraform that this repository writes for the same files', () => {
    const paths = STACKS.map((name) => `${infra}/cdktf.out/stacks/${name}/cdk.tf.json\n`)
    expect(runScript(['infra:synth'])).toEqual({ status: 0, stdout: paths.join(''), stderr: '' })
    const main = readFileSync(join(infra, 'main.ts'), 'utf8')
    writeFileSync(
      join(infra, 'own.ts'),
      main.replace('waggle-tasks/aws', join(ROOT, 'infra-cdktf/src/run.ts')),
    )
    const own = join(parent, 'own')
    npm(['exec', '--', 'node', 'infra-cdktf/own.ts', 'synth', '--output', own])
    rmSync(join(infra, 'own.ts'))
    for (const name of STACKS) {
      const stack = stackIn(join(infra, 'cdktf.out'), name)
      expect(stack).toEqual(stackIn(own, name))
      expect(stack.provider.aws[0].allowed_account_ids).toEqual(['111122223333'])
    }
    const { user_data_base64: script } = stackIn(own, 'prod').resource.aws_instance.app
    expect(Buffer.from(script, 'base64').toString()).toBe(
      readFileSync(join(ROOT, 'infra-cdktf/host/bootstrap.sh'), 'utf8'),
    )
  })

  test('the command of cdktf.json writes the same to cdktf.out', () => {
    const before = STACKS.map((name) => stackIn(join(infra, 'cdktf.out'), name))
    rmSync(join(infra, 'cdktf.out'), { recursive: true })
    const { app } = JSON.parse(readFileSync(join(infra, 'cdktf.json'), 'utf8'))
    expect(execFileSync('sh', ['-c', app], { cwd: infra, encoding: 'utf8' })).toBe('')
    expect(STACKS.map((name) => stackIn(join(infra, 'cdktf.out'), name))).toEqual(before)
    expect(readdirSync(join(infra, 'cdktf.out'))).toContain('manifest.json')
  })

  test('without terraform a plan says that it is missing', () => {
    const bin = join(parent, 'bin')
    mkdirSync(bin)
    for (const name of ['sh', 'node', 'npm'])
      symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(bin, name))
    expect(runScript(['infra:plan', '--', 'prod'], bin)).toMatchObject({
      status: 1,
      stderr: 'terraform is not installed, or not in PATH: this command needs version 1.11 or newer\n',
    })
  })

  test.skipIf(!hasTerraform)('without credentials a plan says that they are missing', () => {
    const { status, stdout, stderr } = runScript(['infra:plan', '--', 'prod'])
    expect({ status, stderr: stdout + stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining('credentials'),
    })
  })

  test.skipIf(!hasTerraform || !existsSync(PACKAGES))('terraform finds every stack valid', () => {
    // In a process, because the types of its packages exist only where infra-cdktf is installed.
    const mirror = join(ROOT, 'infra-cdktf/test/offline-provider/mirror.ts')
    const stacks = STACKS.map((name) => stackIn(join(infra, 'cdktf.out'), name))
    const code = `import { readFileSync } from 'node:fs'
      import { makeMirror } from '${mirror}'
      const stacks = JSON.parse(readFileSync(0, 'utf8'))
      console.log(JSON.stringify(makeMirror('${join(parent, 'mirror')}', stacks)))`
    const made = execFileSync(process.execPath, ['--input-type=module', '-e', code], {
      input: JSON.stringify(stacks),
      encoding: 'utf8',
    })
    for (const name of STACKS)
      for (const command of [['init', '-backend=false'], ['validate']]) {
        const cwd = join(infra, 'cdktf.out/stacks', name)
        const { status, stderr } = spawnSync('terraform', command, {
          cwd,
          encoding: 'utf8',
          env: JSON.parse(made),
        })
        expect({ name, command, status, stderr }).toEqual({ name, command, status: 0, stderr: '' })
      }
  })
})

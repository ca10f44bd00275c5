// The commands plan, apply and destroy, and the cdktf command line, as docs/deploy.md describes them.
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { startMoto } from './support/moto.ts'
import { hasProvider, mirrorEnv } from './support/provider.ts'
import { installCdktf } from './support/tools.ts'

const ROOT = join(import.meta.dirname, '..')
const moto = hasProvider() ? await startMoto() : undefined
const folder = mkdtempSync(join(tmpdir(), 'waggle-commands-'))

beforeEach(() => moto?.reset())
afterAll(async () => {
  await moto?.stop()
  rmSync(folder, { recursive: true, force: true })
})

describe.skipIf(!moto)('an environment', () => {
  test('is planned, applied once, and destroyed', async () => {
    const infra = (...args: string[]) =>
      run(process.execPath, [join(ROOT, 'main.ts'), ...args, '--emulator', '--output', folder])
    expect(await infra('plan', 'dev')).toEqual({ code: 0, output: expect.stringMatching(/Plan: \d+ to add/) })
    const digest = readFileSync(join(folder, 'stacks/dev/plan.sha256'), 'utf8').trim()
    expect(digest).toMatch(/^[0-9a-f]{64}$/)
    // The deploying workflow plans again, and applies only what was reviewed.
    const again = await infra('plan', 'dev', '--brief', '--expect', digest)
    expect(again).toEqual({
      code: 0,
      output: expect.stringContaining('aws_db_instance.database will be created'),
    })
    expect(again.output).not.toContain('waggle_master')
    expect(await infra('plan', 'dev', '--brief', '--expect', digest.replace(/^./, 'x'))).toEqual({
      code: 1,
      output: expect.stringContaining('This plan differs from the reviewed one'),
    })
    expect(await infra('apply', 'dev')).toMatchObject({ code: 1 })
    await infra('plan', 'dev')
    expect(await infra('apply', 'dev')).toEqual({
      code: 0,
      output: expect.stringContaining('Apply complete!'),
    })
    expect(await infra('apply', 'dev')).toEqual({
      code: 1,
      output: 'There is no saved plan of dev; run npm run infra:plan -- dev\n',
    })
    const destroyed = await infra('destroy', 'dev', '--yes')
    expect(destroyed.output).toMatch(
      /Destroy complete![\s\S]*final snapshot of its database is waggle-dev-final-\d{12}\n$/,
    )
    const { resource } = JSON.parse(readFileSync(join(folder, 'stacks/dev/cdk.tf.json'), 'utf8'))
    expect(resource.aws_db_instance.database).toMatchObject({
      deletion_protection: false,
      skip_final_snapshot: false,
    })
  })

  test('is deployed and destroyed by the cdktf command line', async () => {
    const project = join(folder, 'cdktf')
    for (const part of [
      'main.ts',
      'account.ts',
      'environments.ts',
      'src',
      'scripts',
      'host',
      'cdktf.json',
      'package.json',
    ])
      cpSync(join(ROOT, part), join(project, part), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'))
    const programs = installCdktf()
    const cdktf = (...args: string[]) =>
      run(join(programs, 'cdktf'), args, {
        cwd: project,
        // Its Node comes first in PATH: the command line does not start on later versions.
        env: { PATH: `${programs}${delimiter}${moto?.env.PATH}`, WAGGLE_TARGET: 'emulator', CI: '1' },
      })
    // The lock would need the registry of Terraform: it ignores the local mirror.
    const deployed = await cdktf('deploy', 'dev', '--auto-approve', '--skip-provider-lock')
    expect(deployed.code, deployed.output.slice(-3_000)).toBe(0)
    expect(deployed.output).toMatch(/Apply complete! Resources: \d+ added/)
    expect(existsSync(join(project, 'terraform.dev.tfstate'))).toBe(false)
    const destroyed = await cdktf('destroy', 'dev', '--auto-approve', '--skip-provider-lock')
    expect(destroyed.code, destroyed.output.slice(-3_000)).toBe(0)
  })
})

interface Options {
  cwd?: string
  env?: NodeJS.ProcessEnv
}

function run(program: string, args: string[], { cwd = ROOT, env = {} }: Options = {}) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    execFile(
      program,
      args,
      { cwd, env: { ...moto?.env, ...mirrorEnv(), ...env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    )
  })
}

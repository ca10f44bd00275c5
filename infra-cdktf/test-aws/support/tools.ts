// Programs for the tests against an emulated AWS, below .tools/: the real AWS provider, the emulator moto,
// the AWS CLI and checkov. `npm run provider` prepares the provider; the others are installed here on first
// use.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const TOOLS = join(import.meta.dirname, '../../.tools')
/** A filesystem mirror in the layout that Terraform expects. */
export const PROVIDER_MIRROR = join(TOOLS, 'mirror')

/** Returns the versions of the AWS provider in the mirror. */
export function providerVersions(): string[] {
  const folder = join(PROVIDER_MIRROR, 'registry.terraform.io/hashicorp/aws')
  if (!existsSync(folder)) return []
  // `terraform providers mirror` stores archives and index files; a build stores a folder for each version.
  const versions = readdirSync(folder).flatMap(
    (name) => /^(?:terraform-provider-aws_)?(\d+\.\d+\.\d+)/.exec(name)?.[1] ?? [],
  )
  return [...new Set(versions)]
}

/**
 * Python packages by virtual environment. checkov needs its own, because it requires an old version of boto3.
 */
const PACKAGES = {
  aws: ['moto[server]==5.2.5', 'cbor2==6.3.0', 'awscli==1.46.3'],
  checkov: ['checkov==3.3.30'],
} as const

/**
 * Returns the folder with the programs of a virtual environment. Installs the packages on first use, which
 * takes about a minute. @returns undefined, after a message, without Python
 */
export function programsOf(environment: keyof typeof PACKAGES): string | undefined {
  const folder = join(TOOLS, environment)
  const marker = join(folder, 'complete')
  if (!existsSync(marker)) {
    if (spawnSync('python3', ['-c', 'import venv, ensurepip']).status !== 0) {
      process.stderr.write(`python3 with venv is not installed; tests that need ${environment} are skipped\n`)
      return undefined
    }
    rmSync(folder, { recursive: true, force: true })
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    execFileSync(join(folder, 'bin/python'), [...pip, ...PACKAGES[environment]], { stdio: 'inherit' })
    writeFileSync(marker, '')
  }
  return join(folder, 'bin')
}

/**
 * Installs the cdktf command line and a Node on which it runs. Both take 550 MB.
 * @returns the folder with the programs `cdktf` and `node`
 */
export function installCdktf(): string {
  const folder = join(TOOLS, 'cdktf')
  const marker = join(folder, 'complete')
  if (!existsSync(marker)) {
    mkdirSync(folder, { recursive: true })
    const dependencies = { 'cdktf-cli': '0.21.0', node: '22.23.3' }
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ dependencies, allowScripts: { node: true } }),
    )
    const options = ['--no-audit', '--no-fund', '--loglevel=error']
    execFileSync('npm', ['install', ...options], { cwd: folder, stdio: 'inherit' })
    writeFileSync(marker, '')
  }
  return join(folder, 'node_modules/.bin')
}

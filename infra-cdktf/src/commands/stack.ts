// Prepares a stack for a command: synthesizes it, checks the rules and initializes Terraform.
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { account } from '../config/account.ts'
import { type Config, ConfigError } from '../config/schema.ts'
import { ENVIRONMENTS, SHARED_STACK } from '../names.ts'
import { findingsIn } from '../rules/rules.ts'
import type { State } from '../stacks/aws.ts'
import { readConfigs, synthesize } from '../synthesize.ts'
import { createTerraform, type Terraform } from './terraform.ts'

export const ROOT = join(import.meta.dirname, '../..')
/** Checksums of the provider, written by the first `terraform init` and committed. */
const LOCK = join(ROOT, 'locks/aws.lock.hcl')
/** The account of the examples in the AWS documentation, and the initial value in config/account.ts. */
export const EXAMPLE_ACCOUNT = '123456789012'

export interface StackOptions {
  isEmulated: boolean
  /** Folder for stacks, plans and the states of emulators. */
  output: string
  state?: State
  /** Changes the configuration of this stack before it is synthesized. */
  change?: (config: Config) => Config
}

export interface Stack {
  name: string
  folder: string
  config: Config
  terraform: Terraform
}

/** Synthesizes a stack and checks the rules. @throws ConfigError, or an Error that lists all violations */
export function prepare(
  name: string,
  { isEmulated, output, state = 's3', change = (config) => config }: StackOptions,
): Stack {
  const stacks = [SHARED_STACK, ...ENVIRONMENTS]
  if (!stacks.some((known) => known === name)) {
    throw new ConfigError(name, [`No stack is named "${name}"; known are ${stacks.join(', ')}`])
  }
  if (isEmulated && !process.env.AWS_ENDPOINT_URL)
    throw new Error('AWS_ENDPOINT_URL must be set to the endpoint of the emulator')
  const configs = readConfigs(isEmulated ? 'emulator' : undefined).map((config) =>
    config.name === name ? change(config) : config,
  )
  synthesize(configs, { state, folder: output })
  // The shared stack has no configuration of its own. Every environment contains the same account.
  const config = configs.find((candidate) => candidate.name === name) ?? configs[0]
  if (!config) throw new Error('No environment is configured')
  const folder = join(output, 'stacks', name)
  const findings = findingsIn(JSON.parse(readFileSync(join(folder, 'cdk.tf.json'), 'utf8')), config)
  if (findings.length > 0) throw new Error(`${name} violates the rules:\n  ${findings.join('\n  ')}`)
  return { name, folder, config, terraform: createTerraform(folder) }
}

/** Runs `terraform init`. The checksums of the provider must match the lock file, if it exists. */
export async function initialize(
  { config, folder, terraform, name }: Stack,
  ...args: string[]
): Promise<void> {
  const isReal = config.target === 'aws'
  if (isReal && account.id === EXAMPLE_ACCOUNT) {
    throw new ConfigError(name, ['src/config/account.ts: id is still the account of the example'])
  }
  const known = join(folder, '.terraform.lock.hcl')
  const isLocked = isReal && existsSync(LOCK)
  if (isLocked) copyFileSync(LOCK, known)
  await terraform.run('init', '-input=false', ...(isLocked ? ['-lockfile=readonly'] : []), ...args)
  if (isReal && !isLocked) {
    mkdirSync(join(ROOT, 'locks'), { recursive: true })
    copyFileSync(known, LOCK)
    process.stdout.write(
      'Wrote the checksums of the provider to infra-cdktf/locks/aws.lock.hcl; commit this file\n',
    )
  }
}

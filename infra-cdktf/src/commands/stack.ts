// Prepares a stack for a command: synthesizes it, checks the rules and initializes Terraform.
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type AwsProject, readConfigs } from '../config/project.ts'
import { type Config, ConfigError } from '../config/schema.ts'
import { SHARED_STACK } from '../names.ts'
import { findingsIn } from '../rules/rules.ts'
import type { State } from '../stacks/aws.ts'
import { synthesize } from '../synthesize.ts'
import { createTerraform, type Terraform } from './terraform.ts'

/** The account of the examples in the AWS documentation, and the initial value in account.ts. */
export const EXAMPLE_ACCOUNT = '123456789012'

export interface StackOptions {
  project: AwsProject
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
  /** Checksums of the provider, written by the first `terraform init` and committed. */
  lockFile: string
}

/** Returns the names of the stacks of a project. */
export const stacksOf = ({ environments }: AwsProject): string[] => [
  SHARED_STACK,
  ...Object.keys(environments),
]

/** Synthesizes a stack and checks the rules. @throws ConfigError, or an Error that lists all violations */
export function prepare(name: string, options: StackOptions): Stack {
  const known = stacksOf(options.project)
  if (!known.includes(name))
    throw new ConfigError(name, [`No stack is named "${name}"; known are ${known.join(', ')}`])
  return checked(name, synthesizeAll(options, name), options)
}

/** Does the same for all stacks. */
export function prepareAll(options: StackOptions): Stack[] {
  const configs = synthesizeAll(options)
  return stacksOf(options.project).map((name) => checked(name, configs, options))
}

/** Synthesizes all stacks. `change` applies to the configuration of `changed`. */
function synthesizeAll(
  { project, isEmulated, output, state = 's3', change = (config) => config }: StackOptions,
  changed?: string,
): Config[] {
  if (isEmulated && !process.env.AWS_ENDPOINT_URL)
    throw new Error('AWS_ENDPOINT_URL must be set to the endpoint of the emulator')
  const configs = readConfigs(project, isEmulated ? 'emulator' : undefined).map((config) =>
    config.name === changed ? change(config) : config,
  )
  synthesize(configs, { state, folder: output })
  return configs
}

function checked(name: string, configs: Config[], { project, output }: StackOptions): Stack {
  // The shared stack has no configuration of its own. Every environment contains the same account.
  const config = configs.find((candidate) => candidate.name === name) ?? configs[0]
  if (!config) throw new Error('No environment is configured')
  const folder = join(output, 'stacks', name)
  const findings = findingsIn(JSON.parse(readFileSync(join(folder, 'cdk.tf.json'), 'utf8')), config)
  if (findings.length > 0) throw new Error(`${name} violates the rules:\n  ${findings.join('\n  ')}`)
  const lockFile = join(project.folder, 'locks/aws.lock.hcl')
  return { name, folder, config, terraform: createTerraform(folder), lockFile }
}

/** Runs `terraform init`. The checksums of the provider must match the lock file, if it exists. */
export async function initialize(
  { config, folder, terraform, name, lockFile }: Stack,
  ...args: string[]
): Promise<void> {
  const isReal = config.target === 'aws'
  if (isReal && config.account.id === EXAMPLE_ACCOUNT) {
    throw new ConfigError(name, ['infra-cdktf/account.ts: id is still the account of the example'])
  }
  const known = join(folder, '.terraform.lock.hcl')
  const isLocked = isReal && existsSync(lockFile)
  if (isLocked) copyFileSync(lockFile, known)
  await terraform.run('init', '-input=false', ...(isLocked ? ['-lockfile=readonly'] : []), ...args)
  if (isReal && !isLocked) {
    mkdirSync(dirname(lockFile), { recursive: true })
    copyFileSync(known, lockFile)
    process.stdout.write(
      'Wrote the checksums of the provider to infra-cdktf/locks/aws.lock.hcl; commit this file\n',
    )
  }
}

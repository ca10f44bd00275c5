// A stack on its way to AWS: synthesized, held against the rules, initialized.
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
/** The checksums of the provider; committed once it was fetched for the first time. */
const LOCK = join(ROOT, 'locks/aws.lock.hcl')
/** The account in the examples of AWS, and in config/account.ts until you have put yours there. */
export const EXAMPLE_ACCOUNT = '123456789012'

export interface StackOptions {
  isEmulated: boolean
  /** Where stacks, plans and the states of emulators lie. */
  output: string
  state?: State
  /** The configuration of this stack, where it is to differ. */
  change?: (config: Config) => Config
}

export interface Stack {
  name: string
  folder: string
  config: Config
  terraform: Terraform
}

/** @throws ConfigError, or an error with every finding of the rules */
export function prepare(
  name: string,
  { isEmulated, output, state = 's3', change = (config) => config }: StackOptions,
): Stack {
  const stacks = [SHARED_STACK, ...ENVIRONMENTS]
  if (!stacks.some((known) => known === name)) {
    throw new ConfigError(name, [`There is no stack "${name}", only ${stacks.join(', ')}`])
  }
  if (isEmulated && !process.env.AWS_ENDPOINT_URL)
    throw new Error('AWS_ENDPOINT_URL must say where the emulator is')
  const configs = readConfigs(isEmulated ? 'emulator' : undefined).map((config) =>
    config.name === name ? change(config) : config,
  )
  synthesize(configs, { state, folder: output })
  const config = configs.find((one) => one.name === name) ?? configs[0]
  if (!config) throw new Error('There is no environment')
  const folder = join(output, 'stacks', name)
  const findings = findingsIn(JSON.parse(readFileSync(join(folder, 'cdk.tf.json'), 'utf8')), config)
  if (findings.length > 0) throw new Error(`${name} does not keep the rules:\n  ${findings.join('\n  ')}`)
  return { name, folder, config, terraform: createTerraform(folder) }
}

/** Fetches the provider, whose checksums must be those of the first time, and looks for the state. */
export async function initialize(
  { config, folder, terraform, name }: Stack,
  ...args: string[]
): Promise<void> {
  const isReal = config.target === 'aws'
  if (isReal && account.id === EXAMPLE_ACCOUNT) {
    throw new ConfigError(name, ['src/config/account.ts: id is still that of the example'])
  }
  const known = join(folder, '.terraform.lock.hcl')
  const isLocked = isReal && existsSync(LOCK)
  if (isLocked) copyFileSync(LOCK, known)
  await terraform.run('init', '-input=false', ...(isLocked ? ['-lockfile=readonly'] : []), ...args)
  if (isReal && !isLocked) {
    mkdirSync(join(ROOT, 'locks'), { recursive: true })
    copyFileSync(known, LOCK)
    process.stdout.write(
      'The checksums of the provider are in infra-cdktf/locks/aws.lock.hcl now: commit them\n',
    )
  }
}

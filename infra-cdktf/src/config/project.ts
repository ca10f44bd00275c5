// What the files of a project configure.
import type { Environment } from '../names.ts'
import {
  type AccountInput,
  ConfigError,
  type EnvironmentConfig,
  type EnvironmentInput,
  parseAccount,
  parseEnvironment,
} from './schema.ts'

/** The environments, by their names: dev, staging, prod. Each can be missing. */
export type Environments = Partial<Record<Environment, EnvironmentInput>>

/** A task that the smoke test submits. */
export interface SmokeTask {
  /** Name of its definition. */
  name: string
  input: unknown
}

export interface ProjectConfig {
  account: AccountInput
  environments: Environments
}

export interface AwsProject extends ProjectConfig {
  /** The folder of main.ts. It has the packages of cdktf, `cdktf.out` and `locks`. */
  folder: string
  /** Submitted after every rollout, which is rolled back if it fails. Without it the smoke test runs no task. */
  smokeTask?: SmokeTask
}

/** Returns the configurations of all environments. @throws ConfigError */
export function readConfigs(
  project: ProjectConfig,
  target?: EnvironmentConfig['target'],
): EnvironmentConfig[] {
  return Object.keys(project.environments).map((name) => readConfig(project, name, target))
}

/** Returns the configuration of an environment. `target` overrides the configured one. @throws ConfigError */
export function readConfig(
  { account, environments }: ProjectConfig,
  name: string,
  target?: EnvironmentConfig['target'],
): EnvironmentConfig {
  const inputs: Record<string, unknown> = environments
  if (!Object.hasOwn(inputs, name))
    throw new ConfigError(name, [
      `environments.ts has no environment "${name}"; it has ${Object.keys(inputs).join(', ')}`,
    ])
  const config = parseEnvironment(name, inputs[name], parseAccount(account))
  return target ? { ...config, target } : config
}

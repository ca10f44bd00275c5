// Writes the configuration as Terraform JSON: <folder>/stacks/<stack>/cdk.tf.json.
import { App } from 'cdktf'
import type { Config } from './config/schema.ts'
import type { State } from './stacks/aws.ts'
import { createEnvironmentStack } from './stacks/environment.ts'
import { createSharedStack } from './stacks/shared.ts'

/** Synthesizes the shared stack and the stack of every environment into the folder. */
export function synthesize(configs: Config[], { state, folder }: { state: State; folder: string }): void {
  // The validation of cdktf needs an installed Terraform. It finds nothing that the rules, the version constraints
  // and `terraform validate` do not find.
  const app = new App({ outdir: folder, skipValidation: true })
  const [first] = configs
  if (!first) throw new Error('No environment is configured')
  const domains = Object.fromEntries(configs.map(({ name, domain }) => [name, domain]))
  createSharedStack(app, first.account, { state, target: first.target, domains })
  for (const config of configs) createEnvironmentStack(app, config, state)
  app.synth()
}

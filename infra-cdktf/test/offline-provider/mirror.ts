// Writes a filesystem mirror, so that Terraform uses the offline provider as the AWS provider.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataSourceSchema, providerSchema, resourceSchema } from './schema.ts'

const ADDRESS = 'registry.terraform.io/hashicorp/aws'

interface Stack {
  resource?: Record<string, unknown>
  data?: Record<string, unknown>
}

/** Writes the mirror. @returns the environment in which Terraform finds the provider */
export function makeMirror(folder: string, stacks: Stack[]): NodeJS.ProcessEnv {
  // Terraform itself contains the provider of terraform_data.
  const types = (of: 'resource' | 'data') =>
    [...new Set(stacks.flatMap((stack) => Object.keys(stack[of] ?? {})))].filter((type) =>
      type.startsWith('aws_'),
    )
  mkdirSync(folder, { recursive: true })
  const schemaFile = join(folder, 'schemas.json')
  writeFileSync(
    schemaFile,
    JSON.stringify({
      provider: providerSchema(),
      resources: Object.fromEntries(types('resource').map((type) => [type, resourceSchema(type)])),
      dataSources: Object.fromEntries(types('data').map((type) => [type, dataSourceSchema(type)])),
    }),
  )
  const machine = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const providerFolder = join(folder, `${ADDRESS}/6.25.0/${process.platform}_${machine}`)
  mkdirSync(providerFolder, { recursive: true })
  const program = join(providerFolder, 'terraform-provider-aws_v6.25.0_x5')
  writeFileSync(
    program,
    `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dirname, 'provider.ts')}' '${schemaFile}'\n`,
  )
  chmodSync(program, 0o755)
  const settings = join(folder, 'terraform.rc')
  writeFileSync(settings, `provider_installation {\n  filesystem_mirror { path = "${folder}" }\n}\n`)
  return {
    ...process.env,
    TF_CLI_CONFIG_FILE: settings,
    TF_DISABLE_PLUGIN_TLS: '1',
    TF_IN_AUTOMATION: '1',
    CHECKPOINT_DISABLE: '1',
  }
}

// Runs Terraform with the real AWS provider from the local mirror.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createTerraform, hasTerraform } from '../../test/support/terraform.ts'
import type { Moto } from './moto.ts'
import { PROVIDER_MIRROR, providerVersions } from './tools.ts'

/** Whether Terraform is installed and the mirror contains the provider. If not, prints what to do. */
export function hasProvider(): boolean {
  if (hasTerraform && providerVersions().length > 0) return true
  const missing = hasTerraform
    ? 'The AWS provider is missing: run `npm run provider`'
    : 'terraform is not installed'
  process.stderr.write(`${missing}. Tests with the real provider are skipped\n`)
  return false
}

/** Environment in which Terraform finds the provider in the mirror only. */
export function mirrorEnv(): NodeJS.ProcessEnv {
  mkdirSync(PROVIDER_MIRROR, { recursive: true })
  const settings = join(PROVIDER_MIRROR, 'terraform.rc')
  writeFileSync(settings, `provider_installation {\n  filesystem_mirror { path = "${PROVIDER_MIRROR}" }\n}\n`)
  return { TF_CLI_CONFIG_FILE: settings, TF_IN_AUTOMATION: '1', CHECKPOINT_DISABLE: '1' }
}

/** Returns a function that runs Terraform against the emulator. */
export const terraformFor = (moto: Moto) => createTerraform({ ...moto.env, ...mirrorEnv() })

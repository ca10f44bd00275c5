// Configuration that all stacks share: the provider, version constraints, and the backend of the state.
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { LocalBackend, S3Backend, type TerraformStack } from 'cdktf'
import type { Account, Config } from '../config/schema.ts'
import { PROJECT, stateBucketOf, stateKeyOf, TAGS } from '../names.ts'

/**
 * Backend of the state. The first apply of the shared stack, which creates the bucket, and tests use `local`.
 */
export type State = 's3' | 'local'

interface AwsOptions {
  account: Account
  target: Config['target']
  environment: string
  state: State
}

/** Configures provider and backend. With target `emulator` the state is always local. */
export function configureAws(
  stack: TerraformStack,
  { account, target, environment, state }: AwsOptions,
): void {
  const { id, region } = account
  new AwsProvider(stack, 'aws', {
    region,
    defaultTags: [
      { tags: { [TAGS.project]: PROJECT, [TAGS.environment]: environment, ManagedBy: 'terraform' } },
    ],
    ...(target === 'emulator'
      ? {
          // The provider itself reads the endpoint from AWS_ENDPOINT_URL.
          skipCredentialsValidation: true,
          skipMetadataApiCheck: 'true',
          skipRequestingAccountId: true,
          s3UsePathStyle: true,
        }
      : // Credentials of another account in the shell must not change anything.
        { allowedAccountIds: [id] }),
  })
  stack.addOverride('terraform.required_version', '>= 1.11.0')
  // The full source, as the fork of cdktf writes it (scripts/portability.ts).
  stack.addOverride('terraform.required_providers.aws.source', 'hashicorp/aws')
  // The version of the bindings or a later one with the same major version. The committed lock file pins it.
  stack.addOverride('terraform.required_providers.aws.version', '~> 6.25')
  if (state === 'local' || target === 'emulator') {
    new LocalBackend(stack, { path: 'terraform.tfstate' })
    return
  }
  new S3Backend(stack, {
    bucket: stateBucketOf(id, region),
    key: stateKeyOf(environment),
    region,
    encrypt: true,
  })
  // S3-native locking, which needs no DynamoDB table. cdktf has no property for it.
  stack.addOverride('terraform.backend.s3.use_lockfile', true)
}

// What both stacks share: the provider, the versions, and where the state is kept.
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { LocalBackend, S3Backend, type TerraformStack } from 'cdktf'
import type { Account, Config } from '../config/schema.ts'
import { PROJECT, stateBucketOf, stateKeyOf, TAGS } from '../names.ts'

/** s3, but for the very first apply of the shared stack, which makes the bucket, and for emulators and tests. */
export type State = 's3' | 'local'

interface Use {
  account: Account
  target: Config['target']
  environment: string
  state: State
}

export function useAws(stack: TerraformStack, { account, target, environment, state }: Use): void {
  const { id, region } = account
  new AwsProvider(stack, 'aws', {
    region,
    defaultTags: [
      { tags: { [TAGS.project]: PROJECT, [TAGS.environment]: environment, ManagedBy: 'terraform' } },
    ],
    ...(target === 'emulator'
      ? {
          // AWS_ENDPOINT_URL, which the provider reads itself, says where it is.
          skipCredentialsValidation: true,
          skipMetadataApiCheck: 'true',
          skipRequestingAccountId: true,
          s3UsePathStyle: true,
        }
      : // Somebody else's credentials in the shell change nothing.
        { allowedAccountIds: [id] }),
  })
  stack.addOverride('terraform.required_version', '>= 1.11.0')
  // In full, as the fork of cdktf writes it: see scripts/portability.ts.
  stack.addOverride('terraform.required_providers.aws.source', 'hashicorp/aws')
  // The bindings' version or a later one of the same major; the committed lock file says which.
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
  // cdktf knows no name for it; it needs no table of DynamoDB.
  stack.addOverride('terraform.backend.s3.use_lockfile', true)
}

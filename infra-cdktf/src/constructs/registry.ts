// The repositories of the images. A tag is a commit and is never written twice.
import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js'
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js'
import type { Construct } from 'constructs'
import { REPOSITORIES } from '../names.ts'

// Two releases a day for a month can be gone back to.
const IMAGES_KEPT = 60

export function createRegistry(scope: Construct): void {
  for (const [id, name] of Object.entries(REPOSITORIES)) {
    const repository = new EcrRepository(scope, `images-${id}`, {
      name,
      imageTagMutability: 'IMMUTABLE',
      imageScanningConfiguration: { scanOnPush: true },
      encryptionConfiguration: [{ encryptionType: 'AES256' }],
    })
    new EcrLifecyclePolicy(scope, `images-${id}-lifecycle`, {
      repository: repository.name,
      policy: JSON.stringify({
        rules: [
          {
            rulePriority: 1,
            description: 'Images without a tag go after a week',
            selection: {
              tagStatus: 'untagged',
              countType: 'sinceImagePushed',
              countUnit: 'days',
              countNumber: 7,
            },
            action: { type: 'expire' },
          },
          {
            rulePriority: 2,
            description: `The last ${IMAGES_KEPT} stay`,
            selection: {
              tagStatus: 'tagged',
              tagPatternList: ['*'],
              countType: 'imageCountMoreThan',
              countNumber: IMAGES_KEPT,
            },
            action: { type: 'expire' },
          },
        ],
      }),
    })
  }
}

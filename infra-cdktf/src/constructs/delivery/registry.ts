// ECR repositories of the images. The tag of an image is its commit. Tags are immutable.
import { EcrLifecyclePolicy } from '@cdktf/provider-aws/lib/ecr-lifecycle-policy/index.js'
import { EcrRepository } from '@cdktf/provider-aws/lib/ecr-repository/index.js'
import type { Construct } from 'constructs'
import { REPOSITORIES } from '../../names.ts'

// Two releases per day for a month stay available for a rollback.
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

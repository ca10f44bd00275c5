// Permissions of the workflow `build`.
import type { Account } from '../../config/schema.ts'
import { REPOSITORIES } from '../../names.ts'
import type { Statement } from '../identity/policy.ts'

/** Statements that allow pushing images. Tags are immutable, so existing images cannot be overwritten. */
export function buildStatements({ id, region }: Account): Statement[] {
  return [
    { Sid: 'Login', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    {
      Sid: 'Push',
      Action: [
        'ecr:BatchCheckLayerAvailability',
        'ecr:BatchGetImage',
        'ecr:CompleteLayerUpload',
        'ecr:DescribeImages',
        'ecr:DescribeImageScanFindings',
        'ecr:GetDownloadUrlForLayer',
        'ecr:InitiateLayerUpload',
        'ecr:PutImage',
        'ecr:UploadLayerPart',
      ],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
  ]
}

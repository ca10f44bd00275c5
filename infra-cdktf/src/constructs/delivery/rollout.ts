// The Systems Manager document for rollouts. It is the only document that the workflow `deploy` may run on
// hosts. Its only parameter is the commit.
import { SsmDocument } from '@cdktf/provider-aws/lib/ssm-document/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { IMAGE_TAG, namesOf } from '../../names.ts'

// Covers pulling the images and the grace period in which the old worker stops.
const TIMEOUT_SECONDS = 900

export function createRollout(scope: Construct, config: Config): void {
  new SsmDocument(scope, 'rollout', {
    name: namesOf(config.name).rolloutDocument,
    documentType: 'Command',
    documentFormat: 'JSON',
    targetType: '/AWS::EC2::Instance',
    content: JSON.stringify({
      schemaVersion: '2.2',
      description: 'Replaces the containers of the host with the images of a commit, without downtime',
      parameters: {
        tag: {
          type: 'String',
          description: 'The commit, which is the tag of its images',
          allowedPattern: IMAGE_TAG,
        },
      },
      mainSteps: [
        {
          action: 'aws:runShellScript',
          name: 'rollout',
          inputs: {
            timeoutSeconds: String(TIMEOUT_SECONDS),
            runCommand: [
              // The agent accepts commands before host/bootstrap.sh has finished.
              'cloud-init status --wait > /dev/null 2>&1 || true',
              "/usr/local/sbin/waggle-host rollout '{{ tag }}'",
            ],
          },
        },
      ],
    }),
  })
}

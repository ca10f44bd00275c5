// The one thing that may be run on hosts from outside: a rollout of a commit. No shell, and no other argument.
import { SsmDocument } from '@cdktf/provider-aws/lib/ssm-document/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { IMAGE_TAG, namesOf } from '../names.ts'

// Longer than images take to be pulled, and than the old worker may take to end.
const TIMEOUT_SECONDS = 900

export function createRollout(scope: Construct, config: Config): void {
  new SsmDocument(scope, 'rollout', {
    name: namesOf(config.name).rolloutDocument,
    documentType: 'Command',
    documentFormat: 'JSON',
    targetType: '/AWS::EC2::Instance',
    content: JSON.stringify({
      schemaVersion: '2.2',
      description: 'Replaces what runs on the host by the images of a commit, without an interruption',
      parameters: {
        tag: {
          type: 'String',
          description: 'The commit, as its images are tagged',
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
              // The agent answers before host/bootstrap.sh is through.
              'cloud-init status --wait > /dev/null 2>&1 || true',
              "/usr/local/sbin/waggle-host rollout '{{ tag }}'",
            ],
          },
        },
      ],
    }),
  })
}

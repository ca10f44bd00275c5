// Permissions that the Systems Manager agent needs on every host.
import type { Statement } from './policy.ts'

/** These actions do not support resource-level permissions. */
export const SESSION_MANAGER: Statement[] = [
  {
    Sid: 'SessionManager',
    Action: [
      'ssm:UpdateInstanceInformation',
      'ssm:ListAssociations',
      'ssm:ListInstanceAssociations',
      'ssmmessages:CreateControlChannel',
      'ssmmessages:CreateDataChannel',
      'ssmmessages:OpenControlChannel',
      'ssmmessages:OpenDataChannel',
      'ec2messages:AcknowledgeMessage',
      'ec2messages:DeleteMessage',
      'ec2messages:FailMessage',
      'ec2messages:GetEndpoint',
      'ec2messages:GetMessages',
      'ec2messages:SendReply',
    ],
    Resource: '*',
  },
]

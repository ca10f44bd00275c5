// Permissions for the roles and instance profiles of an environment.
import type { Account } from '../../../config/schema.ts'
import { type Environment, namesOf } from '../../../names.ts'
import { actionsOf, boundaryArn, type Statement } from '../../identity/policy.ts'

export function roleStatements({ id }: Account, environment: Environment): Statement[] {
  const { prefix } = namesOf(environment)
  const roles = `arn:aws:iam::${id}:role/${prefix}-*`
  return [
    {
      // Without the boundary the deploying role could create a role with more permissions than its own.
      Sid: 'BoundedRoles',
      Action: actionsOf('iam', 'CreateRole PutRolePolicy DeleteRolePolicy PutRolePermissionsBoundary'),
      Resource: roles,
      Condition: { StringEquals: { 'iam:PermissionsBoundary': boundaryArn(id, environment) } },
    },
    {
      Sid: 'Roles',
      Action: actionsOf('iam', 'DeleteRole TagRole UntagRole UpdateRole UpdateRoleDescription'),
      Resource: roles,
    },
    {
      Sid: 'Profiles',
      Action: actionsOf(
        'iam',
        `
        CreateInstanceProfile DeleteInstanceProfile AddRoleToInstanceProfile
        RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile
      `,
      ),
      Resource: `arn:aws:iam::${id}:instance-profile/${prefix}-*`,
    },
    {
      Sid: 'PassRoles',
      Action: 'iam:PassRole',
      Resource: roles,
      Condition: {
        StringEquals: {
          'iam:PassedToService': [
            'ec2.amazonaws.com',
            'vpc-flow-logs.amazonaws.com',
            'monitoring.rds.amazonaws.com',
          ],
        },
      },
    },
    {
      Sid: 'ServiceRoles',
      Action: 'iam:CreateServiceLinkedRole',
      Resource: `arn:aws:iam::${id}:role/aws-service-role/*`,
      Condition: {
        StringEquals: {
          'iam:AWSServiceName': [
            'autoscaling.amazonaws.com',
            'elasticache.amazonaws.com',
            'elasticloadbalancing.amazonaws.com',
            // Alarms reboot and recover instances with this role.
            'events.amazonaws.com',
            'rds.amazonaws.com',
          ],
        },
      },
    },
  ]
}

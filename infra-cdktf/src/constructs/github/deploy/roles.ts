// Permissions of the workflow `deploy` for the roles and instance profiles of environments.
import type { Account } from '../../../config/schema.ts'
import { ENVIRONMENTS, namesOf } from '../../../names.ts'
import { actionsOf, boundaryArn, type Statement } from '../../identity/policy.ts'

export function roleStatements({ id }: Account): Statement[] {
  const environmentRoles = ENVIRONMENTS.map((name) => `arn:aws:iam::${id}:role/${namesOf(name).prefix}-*`)
  return [
    {
      Sid: 'BoundedRoles',
      Action: [
        'iam:CreateRole',
        'iam:PutRolePolicy',
        'iam:DeleteRolePolicy',
        'iam:PutRolePermissionsBoundary',
      ],
      Resource: environmentRoles,
      Condition: { StringEquals: { 'iam:PermissionsBoundary': boundaryArn(id) } },
    },
    {
      Sid: 'Roles',
      Action: ['iam:DeleteRole', 'iam:TagRole', 'iam:UntagRole', 'iam:UpdateRoleDescription'],
      Resource: environmentRoles,
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
      Resource: ENVIRONMENTS.map((name) => `arn:aws:iam::${id}:instance-profile/${namesOf(name).prefix}-*`),
    },
    {
      Sid: 'GiveRoles',
      Action: 'iam:PassRole',
      Resource: environmentRoles,
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
            'rds.amazonaws.com',
          ],
        },
      },
    },
  ]
}

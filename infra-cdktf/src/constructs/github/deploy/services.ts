// Permissions for the load balancer, auto scaling, logs and alarms. Their names start with the prefix of the
// environment.
import type { Account } from '../../../config/schema.ts'
import { type Environment, namesOf } from '../../../names.ts'
import { logGroupArns } from '../../identity/environment-logs.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

export function serviceStatements(account: Account, environment: Environment): Statement[] {
  const { id, region } = account
  const { prefix } = namesOf(environment)
  return [
    {
      Sid: 'Balancer',
      Action: actionsOf(
        'elasticloadbalancing',
        'AddTags RemoveTags Create* Modify* Delete* SetSecurityGroups SetSubnets RegisterTargets DeregisterTargets',
      ),
      Resource: ['loadbalancer/app/', 'listener/app/', 'targetgroup/'].map(
        (type) => `arn:aws:elasticloadbalancing:${region}:${id}:${type}${prefix}/*`,
      ),
    },
    {
      // Auto scaling checks the permissions of the caller for one version of a launch template only. Without
      // a fixed version a later one could launch instances with the role of another environment.
      Sid: 'Scaling',
      Action: actionsOf(
        'autoscaling',
        'Create* Update* Delete* Put* Enable* Disable* Set* Start* Cancel* Complete*',
      ),
      Resource: `arn:aws:autoscaling:${region}:${id}:autoScalingGroup:*:autoScalingGroupName/${prefix}-*`,
      Condition: { BoolIfExists: { 'autoscaling:LaunchTemplateVersionSpecified': 'true' } },
    },
    {
      Sid: 'Logs',
      Action: actionsOf(
        'logs',
        `
        CreateLogGroup DeleteLogGroup PutRetentionPolicy DeleteRetentionPolicy AssociateKmsKey
        DisassociateKmsKey TagResource UntagResource PutMetricFilter DeleteMetricFilter
      `,
      ),
      Resource: logGroupArns(account, environment),
    },
    {
      // An action of an alarm can stop an instance or send a message, so only these actions are allowed.
      Sid: 'Alarms',
      Action: 'cloudwatch:PutMetricAlarm',
      Resource: `arn:aws:cloudwatch:${region}:${id}:alarm:${prefix}-*`,
      Condition: {
        'ForAllValues:StringLike': {
          'cloudwatch:AlarmActions': [
            `arn:aws:sns:${region}:${id}:${prefix}-*`,
            `arn:aws:automate:${region}:ec2:recover`,
            `arn:aws:automate:${region}:ec2:reboot`,
          ],
        },
      },
    },
    {
      Sid: 'AlarmsAndDashboards',
      Action: actionsOf('cloudwatch', 'DeleteAlarms TagResource UntagResource PutDashboard DeleteDashboards'),
      Resource: [
        `arn:aws:cloudwatch:${region}:${id}:alarm:${prefix}-*`,
        `arn:aws:cloudwatch::${id}:dashboard/${prefix}`,
        `arn:aws:cloudwatch::${id}:dashboard/${prefix}-*`,
      ],
    },
    {
      Sid: 'Topics',
      Action: actionsOf(
        'sns',
        'CreateTopic DeleteTopic SetTopicAttributes Subscribe Unsubscribe TagResource UntagResource',
      ),
      Resource: `arn:aws:sns:${region}:${id}:${prefix}-*`,
    },
    {
      Sid: 'KeyNames',
      Action: actionsOf('kms', 'CreateAlias DeleteAlias UpdateAlias'),
      Resource: [prefix, `${prefix}-*`].map((name) => `arn:aws:kms:${region}:${id}:alias/${name}`),
    },
  ]
}

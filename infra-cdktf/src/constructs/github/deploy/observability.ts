// Permissions of the workflow `deploy` for auto scaling, logs, alarms, dashboards and encryption keys.
import type { Account } from '../../../config/schema.ts'
import { ENVIRONMENTS, namesOf, PROJECT, TAGS } from '../../../names.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

export function observabilityStatements({ id, region }: Account): Statement[] {
  const groups = ENVIRONMENTS.flatMap((name) => Object.values(namesOf(name).logs)).map(
    (group) => `arn:aws:logs:${region}:${id}:log-group:${group}`,
  )
  return [
    {
      Sid: 'Workers',
      Action: actionsOf(
        'autoscaling',
        `
        CreateAutoScalingGroup UpdateAutoScalingGroup DeleteAutoScalingGroup CreateOrUpdateTags
        DeleteTags DeletePolicy PutScalingPolicy EnableMetricsCollection DisableMetricsCollection
        SetInstanceProtection StartInstanceRefresh CancelInstanceRefresh
      `,
      ),
      Resource: `arn:aws:autoscaling:${region}:${id}:autoScalingGroup:*:autoScalingGroupName/${PROJECT}-*`,
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
      Resource: groups.flatMap((group) => [group, `${group}:*`]),
    },
    {
      Sid: 'Watching',
      Action: actionsOf(
        'cloudwatch',
        `
        PutMetricAlarm DeleteAlarms TagResource UntagResource PutDashboard DeleteDashboards
      `,
      ),
      Resource: [
        `arn:aws:cloudwatch:${region}:${id}:alarm:${PROJECT}-*`,
        `arn:aws:cloudwatch::${id}:dashboard/${PROJECT}-*`,
      ],
    },
    {
      Sid: 'Topics',
      Action: actionsOf(
        'sns',
        `
        CreateTopic DeleteTopic SetTopicAttributes Subscribe Unsubscribe TagResource UntagResource
      `,
      ),
      Resource: `arn:aws:sns:${region}:${id}:${PROJECT}-*`,
    },
    {
      Sid: 'NewKeys',
      Action: 'kms:CreateKey',
      Resource: '*',
      Condition: { StringEquals: { [`aws:RequestTag/${TAGS.project}`]: PROJECT } },
    },
    {
      Sid: 'Keys',
      Action: actionsOf(
        'kms',
        `
        CreateAlias DeleteAlias UpdateAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion
        TagResource UntagResource UpdateKeyDescription CreateGrant
      `,
      ),
      Resource: `arn:aws:kms:${region}:${id}:key/*`,
      Condition: { StringEquals: { [`aws:ResourceTag/${TAGS.project}`]: PROJECT } },
    },
    // With kms "cmk" AWS encrypts disks, databases and secrets with the permissions of the creating role.
    {
      Sid: 'UseKeys',
      Action: actionsOf(
        'kms',
        `
        Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo
      `,
      ),
      Resource: `arn:aws:kms:${region}:${id}:key/*`,
      Condition: {
        StringEquals: {
          [`aws:ResourceTag/${TAGS.project}`]: PROJECT,
          'kms:ViaService': ['ec2', 'rds', 'secretsmanager', 'elasticache'].map(
            (service) => `${service}.${region}.amazonaws.com`,
          ),
        },
      },
    },
    {
      Sid: 'KeyNames',
      Action: ['kms:CreateAlias', 'kms:DeleteAlias', 'kms:UpdateAlias'],
      Resource: `arn:aws:kms:${region}:${id}:alias/${PROJECT}-*`,
    },
  ]
}

// What the workflow `deploy` may do: write what an environment consists of, and roll out. It can neither change the
// shared stack, to which its own role belongs, nor make roles that may more than the boundary says.
import type { Account } from '../config/schema.ts'
import { ENVIRONMENTS, namesOf, PROJECT, REPOSITORIES, stateBucketOf, TAGS } from '../names.ts'
import { settingArns } from './github-policies.ts'
import { boundaryArn, type Statement } from './policy.ts'

/** By the names of policies: IAM takes no more than 6,144 characters in one. */
export function deploying(account: Account): Record<string, Statement[]> {
  return {
    network: network(account),
    data: data(account),
    watching: watching(account),
    roles: roles(account),
    release: release(account),
  }
}

const actions = (service: string, names: string) =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => `${service}:${name}`)

function network({ id, region }: Account): Statement[] {
  return [
    {
      Sid: 'Network',
      Action: actions(
        'ec2',
        `
        AllocateAddress AssociateAddress DisassociateAddress ReleaseAddress
        AssociateIamInstanceProfile ReplaceIamInstanceProfileAssociation
        DisassociateIamInstanceProfile AssociateRouteTable DisassociateRouteTable
        AttachInternetGateway DetachInternetGateway AttachVolume CreateVolume
        AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress
        RevokeSecurityGroupIngress ModifySecurityGroupRules
        UpdateSecurityGroupRuleDescriptionsEgress UpdateSecurityGroupRuleDescriptionsIngress
        CreateSecurityGroup DeleteSecurityGroup CreateFlowLogs DeleteFlowLogs CreateInternetGateway
        DeleteInternetGateway CreateLaunchTemplate CreateLaunchTemplateVersion ModifyLaunchTemplate
        DeleteLaunchTemplate CreateNatGateway DeleteNatGateway CreateRoute ReplaceRoute DeleteRoute
        CreateRouteTable DeleteRouteTable CreateSubnet ModifySubnetAttribute DeleteSubnet CreateTags
        DeleteTags CreateVpc ModifyVpcAttribute DeleteVpc CreateVpcEndpoint ModifyVpcEndpoint
        DeleteVpcEndpoints RunInstances MonitorInstances UnmonitorInstances
      `,
      ),
      Resource: [`arn:aws:ec2:${region}:${id}:*/*`, `arn:aws:ec2:${region}::image/*`],
    },
    // Other hosts and volumes of the account are none of our business.
    {
      Sid: 'OurHosts',
      Action: actions(
        'ec2',
        `
        StartInstances StopInstances RebootInstances TerminateInstances ModifyInstanceAttribute
        ModifyInstanceMetadataOptions ModifyInstanceCreditSpecification DeleteVolume DetachVolume
        ModifyVolume
      `,
      ),
      Resource: [`arn:aws:ec2:${region}:${id}:instance/*`, `arn:aws:ec2:${region}:${id}:volume/*`],
      Condition: { StringEquals: { [`aws:ResourceTag/${TAGS.project}`]: PROJECT } },
    },
    {
      Sid: 'Zones',
      Action: [
        'route53:ChangeResourceRecordSets',
        'route53:ChangeTagsForResource',
        'route53:DeleteHostedZone',
      ],
      Resource: 'arn:aws:route53:::hostedzone/*',
    },
    // Route 53 knows no resources for these.
    {
      Sid: 'PrivateZone',
      Action: ['route53:CreateHostedZone', 'route53:GetChange', 'ec2:DescribeVpcs'],
      Resource: '*',
    },
    {
      Sid: 'Balancer',
      Action: actions(
        'elasticloadbalancing',
        `
        AddTags RemoveTags CreateListener ModifyListener DeleteListener CreateLoadBalancer
        DeleteLoadBalancer ModifyLoadBalancerAttributes SetSecurityGroups SetSubnets
        CreateTargetGroup DeleteTargetGroup ModifyTargetGroup ModifyTargetGroupAttributes
        RegisterTargets DeregisterTargets
      `,
      ),
      Resource: [
        `arn:aws:elasticloadbalancing:${region}:${id}:loadbalancer/app/${PROJECT}-*`,
        `arn:aws:elasticloadbalancing:${region}:${id}:listener/app/${PROJECT}-*`,
        `arn:aws:elasticloadbalancing:${region}:${id}:targetgroup/${PROJECT}-*`,
      ],
    },
    {
      Sid: 'Certificates',
      Action: ['acm:RequestCertificate', 'acm:DeleteCertificate', 'acm:AddTagsToCertificate'],
      Resource: `arn:aws:acm:${region}:${id}:certificate/*`,
    },
  ]
}

function data({ id, region }: Account): Statement[] {
  return [
    {
      Sid: 'Database',
      Action: actions(
        'rds',
        `
        AddTagsToResource RemoveTagsFromResource CreateDBInstance ModifyDBInstance DeleteDBInstance
        RebootDBInstance CreateDBSnapshot CreateDBParameterGroup ModifyDBParameterGroup
        ResetDBParameterGroup DeleteDBParameterGroup CreateDBSubnetGroup ModifyDBSubnetGroup
        DeleteDBSubnetGroup
      `,
      ),
      Resource: ['db', 'pg', 'subgrp', 'snapshot'].map(
        (kind) => `arn:aws:rds:${region}:${id}:${kind}:${PROJECT}-*`,
      ),
    },
    {
      // RDS keeps the master password there, on behalf of whoever asks it to.
      Sid: 'MasterSecret',
      Action: ['secretsmanager:CreateSecret', 'secretsmanager:TagResource', 'secretsmanager:DescribeSecret'],
      Resource: `arn:aws:secretsmanager:${region}:${id}:secret:rds!db-*`,
    },
    {
      Sid: 'Cache',
      Action: actions(
        'elasticache',
        `
        AddTagsToResource RemoveTagsFromResource CreateReplicationGroup ModifyReplicationGroup
        DeleteReplicationGroup IncreaseReplicaCount DecreaseReplicaCount CreateCacheParameterGroup
        ModifyCacheParameterGroup DeleteCacheParameterGroup CreateCacheSubnetGroup
        ModifyCacheSubnetGroup DeleteCacheSubnetGroup CreateUser ModifyUser DeleteUser
        CreateUserGroup ModifyUserGroup DeleteUserGroup
      `,
      ),
      Resource: [
        ...[
          'replicationgroup',
          'cluster',
          'parametergroup',
          'subnetgroup',
          'user',
          'usergroup',
          'snapshot',
        ].map((kind) => `arn:aws:elasticache:${region}:${id}:${kind}:${PROJECT}-*`),
        `arn:aws:elasticache:${region}:${id}:parametergroup:default.valkey8`,
      ],
    },
  ]
}

function watching({ id, region }: Account): Statement[] {
  const groups = ENVIRONMENTS.flatMap((name) => Object.values(namesOf(name).logs)).map(
    (group) => `arn:aws:logs:${region}:${id}:log-group:${group}`,
  )
  return [
    {
      Sid: 'Workers',
      Action: actions(
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
      Action: actions(
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
      Action: actions(
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
      Action: actions(
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
      Action: actions(
        'kms',
        `
        CreateAlias DeleteAlias UpdateAlias EnableKeyRotation PutKeyPolicy ScheduleKeyDeletion
        TagResource UntagResource UpdateKeyDescription CreateGrant
      `,
      ),
      Resource: `arn:aws:kms:${region}:${id}:key/*`,
      Condition: { StringEquals: { [`aws:ResourceTag/${TAGS.project}`]: PROJECT } },
    },
    // With a key of your own AWS encrypts in the name of whoever makes a disk, a database or a secret.
    {
      Sid: 'UseKeys',
      Action: actions(
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

function roles({ id }: Account): Statement[] {
  const ours = ENVIRONMENTS.map((name) => `arn:aws:iam::${id}:role/${namesOf(name).prefix}-*`)
  return [
    {
      Sid: 'BoundedRoles',
      Action: [
        'iam:CreateRole',
        'iam:PutRolePolicy',
        'iam:DeleteRolePolicy',
        'iam:PutRolePermissionsBoundary',
      ],
      Resource: ours,
      Condition: { StringEquals: { 'iam:PermissionsBoundary': boundaryArn(id) } },
    },
    {
      Sid: 'Roles',
      Action: ['iam:DeleteRole', 'iam:TagRole', 'iam:UntagRole', 'iam:UpdateRoleDescription'],
      Resource: ours,
    },
    {
      Sid: 'Profiles',
      Action: actions(
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
      Resource: ours,
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

function release(account: Account): Statement[] {
  const { id, region } = account
  const parameter = (path: string) => `arn:aws:ssm:${region}:${id}:parameter/${PROJECT}/*/${path}`
  const bucket = `arn:aws:s3:::${stateBucketOf(id, region)}`
  return [
    {
      Sid: 'State',
      Action: ['s3:PutObject', 's3:DeleteObject'],
      Resource: ENVIRONMENTS.map((name) => `${bucket}/${name}/*`),
    },
    {
      Sid: 'Settings',
      Action: [
        'ssm:PutParameter',
        'ssm:DeleteParameter',
        'ssm:AddTagsToResource',
        'ssm:RemoveTagsFromResource',
      ],
      Resource: [...settingArns(account), parameter('release/*')],
    },
    {
      Sid: 'Documents',
      Action: actions(
        'ssm',
        `
        CreateDocument UpdateDocument UpdateDocumentDefaultVersion DeleteDocument AddTagsToResource
        RemoveTagsFromResource
      `,
      ),
      Resource: `arn:aws:ssm:${region}:${id}:document/${PROJECT}-*`,
    },
    // A rollout: this document only, on hosts of ours only. No shell.
    {
      Sid: 'RolloutDocument',
      Action: 'ssm:SendCommand',
      Resource: ENVIRONMENTS.map(
        (name) => `arn:aws:ssm:${region}:${id}:document/${namesOf(name).rolloutDocument}`,
      ),
    },
    {
      Sid: 'RolloutHosts',
      Action: 'ssm:SendCommand',
      Resource: `arn:aws:ec2:${region}:${id}:instance/*`,
      Condition: { StringEquals: { [`ssm:resourceTag/${TAGS.project}`]: PROJECT } },
    },
    {
      Sid: 'RolloutResult',
      Action: actions(
        'ssm',
        `
        GetCommandInvocation ListCommands ListCommandInvocations CancelCommand
        DescribeInstanceInformation
      `,
      ),
      Resource: '*',
    },
    { Sid: 'WhatHostsRun', Action: 'ssm:GetParametersByPath', Resource: parameter('ready') },
    { Sid: 'SmokeTest', Action: 'ssm:GetParameter', Resource: parameter('role/*/SMOKE_API_KEY') },
    {
      Sid: 'Images',
      Action: ['ecr:DescribeImages', 'ecr:BatchGetImage'],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
  ]
}

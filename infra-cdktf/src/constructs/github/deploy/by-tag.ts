// Permissions for resources whose names AWS chooses: EC2, encryption keys, certificates. The tags `Project`
// and `Environment` decide. A new resource must get them in the request that creates it.
import type { Account } from '../../../config/schema.ts'
import { type Environment, TAGS } from '../../../names.ts'
import { actionsOf, type Statement, tagsOfEnvironment } from '../../identity/policy.ts'

export function tagStatements({ id, region }: Account, environment: Environment): Statement[] {
  const ec2 = (...types: string[]) => types.map((type) => `arn:aws:ec2:${region}:${id}:${type}/*`)
  const all = `arn:aws:ec2:${region}:${id}:*`
  const keys = `arn:aws:kms:${region}:${id}:key/*`
  const certificates = `arn:aws:acm:${region}:${id}:certificate/*`
  const own = tagsOfEnvironment('ResourceTag', environment)
  const created = tagsOfEnvironment('RequestTag', environment)
  return [
    {
      Sid: 'OwnInstancesAndNetwork',
      Action: actionsOf(
        'ec2',
        `
        Associate* Attach* Authorize* Create* Delete* Detach* Disassociate* Modify* Monitor* Reboot*
        Release* Replace* Revoke* Run* Start* Stop* Terminate* Unmonitor* Update*
      `,
      ),
      Resource: all,
      Condition: { StringEquals: own },
    },
    {
      // A new subnet, for example, also needs the permission for its VPC, which must have the tags already:
      // the request's tags belong to the new resource only.
      Sid: 'NewInstancesAndNetwork',
      Action: actionsOf(
        'ec2',
        `
        AllocateAddress AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress CreateFlowLogs
        CreateInternetGateway CreateLaunchTemplate CreateNatGateway CreateRouteTable CreateSecurityGroup
        CreateSubnet CreateVolume CreateVpc CreateVpcEndpoint RunInstances
      `,
      ),
      Resource: all,
      Condition: { StringEquals: created },
    },
    {
      Sid: 'PartsOfNewInstances',
      Action: 'ec2:RunInstances',
      Resource: [...ec2('network-interface', 'volume'), `arn:aws:ec2:${region}::image/*`],
    },
    {
      Sid: 'TagsOfNewResources',
      Action: 'ec2:CreateTags',
      Resource: all,
      Condition: { StringEquals: created, StringLike: { 'ec2:CreateAction': '*' } },
    },
    {
      // AWS creates these resources without tags: root disks, the default security group of a VPC, and keys
      // and certificates until the end of the request. A resource with an alias or another tag is excluded,
      // because another project has created it.
      Sid: 'TagsOfUntaggedResources',
      Action: ['ec2:CreateTags', 'kms:TagResource', 'acm:AddTagsToCertificate'],
      Resource: [...ec2('security-group', 'volume'), keys, certificates],
      Condition: {
        StringEquals: created,
        Null: Object.fromEntries(
          [...Object.keys(own), 'aws:ResourceTag/Name', 'kms:ResourceAliases'].map((key) => [key, 'true']),
        ),
      },
    },
    {
      // The network interface of an instance has no tags until Terraform sets one. AWS itself rejects changes
      // of the interfaces of databases and load balancers.
      Sid: 'NetworkInterfaces',
      Action: actionsOf(
        'ec2',
        'AssociateAddress CreateTags DeleteTags DisassociateAddress ModifyNetworkInterfaceAttribute',
      ),
      Resource: ec2('network-interface'),
      Condition: { StringEqualsIfExists: { [`aws:ResourceTag/${TAGS.environment}`]: environment } },
    },
    {
      // ElastiCache can use the permissions of the caller for the interfaces of its nodes.
      Sid: 'CacheInterfaces',
      Action: actionsOf('ec2', 'CreateNetworkInterface DeleteNetworkInterface'),
      Resource: ec2('network-interface'),
      Condition: { Bool: { 'aws:ViaAWSService': 'true' } },
    },
    // These two actions do not support resource-level permissions.
    {
      Sid: 'NewKeysAndCertificates',
      Action: ['kms:CreateKey', 'acm:RequestCertificate'],
      Resource: '*',
      Condition: { StringEquals: created },
    },
    {
      // KMS can take five minutes to apply a new tag to permissions. Terraform sends these two requests
      // within that time, so they are also allowed without the tag.
      Sid: 'NewKeys',
      Action: actionsOf('kms', 'CreateAlias EnableKeyRotation'),
      Resource: keys,
      Condition: { StringEqualsIfExists: { [`aws:ResourceTag/${TAGS.environment}`]: environment } },
    },
    {
      Sid: 'OwnKeysAndCertificates',
      Action: [
        ...actionsOf(
          'kms',
          `
          CancelKeyDeletion DeleteAlias PutKeyPolicy ScheduleKeyDeletion TagResource UntagResource
          UpdateAlias UpdateKeyDescription
        `,
        ),
        ...actionsOf('acm', 'AddTagsToCertificate DeleteCertificate RemoveTagsFromCertificate'),
      ],
      Resource: [keys, certificates],
      Condition: { StringEquals: own },
    },
    {
      // With kms "cmk" AWS encrypts disks, databases and secrets with the permissions of the caller.
      Sid: 'UseOwnKeys',
      Action: actionsOf(
        'kms',
        'CreateGrant Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo',
      ),
      Resource: keys,
      Condition: {
        StringEquals: {
          ...own,
          'kms:ViaService': ['autoscaling', 'ec2', 'elasticache', 'rds', 'secretsmanager', 'ssm'].map(
            (service) => `${service}.${region}.amazonaws.com`,
          ),
        },
      },
    },
  ]
}

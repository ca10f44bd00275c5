// Permissions for the Terraform state, settings, DNS records and rollouts of an environment.
import type { Account, Config } from '../../../config/schema.ts'
import { type Environment, namesOf, PROJECT, REPOSITORIES, stateBucketOf, TAGS } from '../../../names.ts'
import { parameterArn, settingArns } from '../../identity/parameter-arns.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

type Domain = Config['domain']

/** @param domain the public domain of the environment, if it has one */
export function releaseStatements(account: Account, environment: Environment, domain: Domain): Statement[] {
  const { id, region } = account
  const { rolloutDocument, prefix } = namesOf(environment)
  const parameter = (path: string) => parameterArn(account, environment, path)
  return [
    {
      Sid: 'State',
      Action: ['s3:PutObject', 's3:DeleteObject'],
      Resource: `arn:aws:s3:::${stateBucketOf(id, region)}/${environment}/*`,
    },
    {
      Sid: 'Settings',
      Action: actionsOf('ssm', 'PutParameter DeleteParameter AddTagsToResource RemoveTagsFromResource'),
      Resource: [...settingArns(account, environment), parameter('release/*')],
    },
    {
      Sid: 'Documents',
      Action: actionsOf(
        'ssm',
        `
        CreateDocument UpdateDocument UpdateDocumentDefaultVersion DeleteDocument AddTagsToResource
        RemoveTagsFromResource
      `,
      ),
      Resource: `arn:aws:ssm:${region}:${id}:document/${prefix}-*`,
    },
    ...dnsStatements(environment, domain),
    // A rollout may run only this document, only on hosts of the environment, and no shell commands.
    {
      Sid: 'RolloutDocument',
      Action: 'ssm:SendCommand',
      Resource: `arn:aws:ssm:${region}:${id}:document/${rolloutDocument}`,
    },
    {
      Sid: 'RolloutHosts',
      Action: 'ssm:SendCommand',
      Resource: `arn:aws:ec2:${region}:${id}:instance/*`,
      Condition: {
        StringEquals: {
          [`ssm:resourceTag/${TAGS.project}`]: PROJECT,
          [`ssm:resourceTag/${TAGS.environment}`]: environment,
        },
      },
    },
    // These actions do not support resource-level permissions.
    {
      Sid: 'RolloutResult',
      Action: actionsOf('ssm', 'ListCommandInvocations DescribeInstanceInformation'),
      Resource: '*',
    },
    {
      // Hosts store their running release here. A rollout deletes the entries of hosts that no longer exist.
      Sid: 'WhatHostsRun',
      Action: ['ssm:GetParametersByPath', 'ssm:DeleteParameters'],
      Resource: [parameter('ready'), parameter('ready/*')],
    },
    { Sid: 'SmokeTest', Action: 'ssm:GetParameter', Resource: parameter('role/*/SMOKE_API_KEY') },
    {
      Sid: 'Images',
      Action: ['ecr:DescribeImages', 'ecr:BatchGetImage'],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
  ]
}

/**
 * Statements for DNS records. Route 53 has no condition key for tags, so they name the records. A private
 * zone can be connected to the VPC of any environment and replace its names there. Therefore no deploying
 * role can create or delete zones: a person applies the change that adds or removes a host for Redis.
 */
function dnsStatements(environment: Environment, domain: Domain): Statement[] {
  const names = 'route53:ChangeResourceRecordSetsNormalizedRecordNames'
  const records = (sid: string, zone: string, allowed: string[]): Statement => ({
    Sid: sid,
    Action: 'route53:ChangeResourceRecordSets',
    Resource: `arn:aws:route53:::hostedzone/${zone}`,
    // ForAllValues is true for a request without the key, so the key must exist too.
    Condition: { 'ForAllValues:StringLike': { [names]: allowed }, Null: { [names]: 'false' } },
  })
  return [
    { Sid: 'DnsChanges', Action: 'route53:GetChange', Resource: 'arn:aws:route53:::change/*' },
    records('PrivateRecords', '*', [namesOf(environment).redis]),
    // The second name is the record that proves to the certificate authority who owns the domain.
    ...(domain ? [records('PublicRecords', domain.zoneId, [domain.name, `_*.${domain.name}`])] : []),
  ]
}

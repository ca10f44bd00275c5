// Permissions of the workflow `deploy` for the Terraform state, settings and rollouts.
import type { Account } from '../../../config/schema.ts'
import { ENVIRONMENTS, namesOf, PROJECT, REPOSITORIES, stateBucketOf, TAGS } from '../../../names.ts'
import { parameterArn, settingArns } from '../../identity/parameter-arns.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

export function releaseStatements(account: Account): Statement[] {
  const { id, region } = account
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
      Resource: [...settingArns(account), parameterArn(account, 'release/*')],
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
      Resource: `arn:aws:ssm:${region}:${id}:document/${PROJECT}-*`,
    },
    // A rollout may run only this document, only on hosts with the project's tag, and no shell commands.
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
      Action: actionsOf(
        'ssm',
        `
        GetCommandInvocation ListCommands ListCommandInvocations CancelCommand
        DescribeInstanceInformation
      `,
      ),
      Resource: '*',
    },
    { Sid: 'WhatHostsRun', Action: 'ssm:GetParametersByPath', Resource: parameterArn(account, 'ready') },
    { Sid: 'SmokeTest', Action: 'ssm:GetParameter', Resource: parameterArn(account, 'role/*/SMOKE_API_KEY') },
    {
      Sid: 'Images',
      Action: ['ecr:DescribeImages', 'ecr:BatchGetImage'],
      Resource: Object.values(REPOSITORIES).map((name) => `arn:aws:ecr:${region}:${id}:repository/${name}`),
    },
  ]
}

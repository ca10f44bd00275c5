// Permissions for the database and the cache. Their names start with the prefix of the environment.
import type { Account } from '../../../config/schema.ts'
import { type Environment, namesOf } from '../../../names.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

export function dataStatements({ id, region }: Account, environment: Environment): Statement[] {
  const { prefix } = namesOf(environment)
  const arns = (service: string, ...types: string[]) =>
    types.flatMap((type) =>
      [prefix, `${prefix}-*`].map((name) => `arn:aws:${service}:${region}:${id}:${type}:${name}`),
    )
  return [
    {
      Sid: 'Database',
      Action: actionsOf(
        'rds',
        `
        AddTagsToResource RemoveTagsFromResource CreateDBInstance ModifyDBInstance DeleteDBInstance
        RebootDBInstance CreateDBSnapshot CreateDBParameterGroup ModifyDBParameterGroup
        ResetDBParameterGroup DeleteDBParameterGroup CreateDBSubnetGroup ModifyDBSubnetGroup
        DeleteDBSubnetGroup
      `,
      ),
      Resource: [
        ...arns('rds', 'db', 'pg', 'subgrp', 'snapshot'),
        // A request for a new database also refers to the option group that AWS provides.
        `arn:aws:rds:${region}:${id}:og:default:postgres-*`,
      ],
    },
    {
      // RDS stores the master password in this secret, with the permissions of the caller. The names are
      // random. RDS sets this tag, which nothing else can change; a secret that is being created does not
      // have it yet.
      Sid: 'MasterSecret',
      Action: actionsOf('secretsmanager', 'CreateSecret TagResource DescribeSecret RotateSecret'),
      Resource: `arn:aws:secretsmanager:${region}:${id}:secret:rds!db-*`,
      Condition: {
        StringLikeIfExists: { 'aws:ResourceTag/aws:rds:primaryDBInstanceArn': arns('rds', 'db') },
      },
    },
    {
      Sid: 'Cache',
      Action: actionsOf(
        'elasticache',
        `
        AddTagsToResource RemoveTagsFromResource Create* Modify* Delete* IncreaseReplicaCount
        DecreaseReplicaCount
      `,
      ),
      Resource: [
        ...arns(
          'elasticache',
          'replicationgroup',
          'cluster',
          'parametergroup',
          'subnetgroup',
          'user',
          'usergroup',
          'snapshot',
        ),
        `arn:aws:elasticache:${region}:${id}:parametergroup:default.*`,
      ],
    },
  ]
}

// Permissions of the workflow `deploy` for the database and the cache.
import type { Account } from '../../../config/schema.ts'
import { PROJECT } from '../../../names.ts'
import { actionsOf, type Statement } from '../../identity/policy.ts'

export function dataStatements({ id, region }: Account): Statement[] {
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
      Resource: ['db', 'pg', 'subgrp', 'snapshot'].map(
        (kind) => `arn:aws:rds:${region}:${id}:${kind}:${PROJECT}-*`,
      ),
    },
    {
      // RDS stores the master password in this secret, with the permissions of the creating role.
      Sid: 'MasterSecret',
      Action: ['secretsmanager:CreateSecret', 'secretsmanager:TagResource', 'secretsmanager:DescribeSecret'],
      Resource: `arn:aws:secretsmanager:${region}:${id}:secret:rds!db-*`,
    },
    {
      Sid: 'Cache',
      Action: actionsOf(
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

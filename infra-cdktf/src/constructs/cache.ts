// Redis as a service: Valkey with one primary, and a second to take its place where availability is high.
import { ElasticacheParameterGroup } from '@cdktf/provider-aws/lib/elasticache-parameter-group/index.js'
import { ElasticacheReplicationGroup } from '@cdktf/provider-aws/lib/elasticache-replication-group/index.js'
import { ElasticacheSubnetGroup } from '@cdktf/provider-aws/lib/elasticache-subnet-group/index.js'
import { ElasticacheUser } from '@cdktf/provider-aws/lib/elasticache-user/index.js'
import { ElasticacheUserGroup } from '@cdktf/provider-aws/lib/elasticache-user-group/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { namesOf, PORTS } from '../names.ts'
import type { Keys } from './keys.ts'

export interface Cache {
  /** The name in its certificate: a name of our own would not be verified. */
  host: string
  username: string
}

export function createCache(
  scope: Construct,
  config: Config,
  nodeType: string,
  { subnets, group, keys }: { subnets: string[]; group: string; keys: Keys },
): Cache {
  const { prefix, cache: id } = namesOf(config.name)
  const isHigh = config.availability === 'high'
  const subnetGroup = new ElasticacheSubnetGroup(scope, 'cache-subnets', {
    name: prefix,
    description: `${prefix}: subnets from which nothing leads out`,
    subnetIds: subnets,
  })
  const parameters = new ElasticacheParameterGroup(scope, 'cache-parameters', {
    name: `${prefix}-valkey8`,
    description: `${prefix}: Valkey 8`,
    family: 'valkey8',
    // A full Redis refuses bells, which are rung later.
    parameter: [{ name: 'maxmemory-policy', value: 'noeviction' }],
  })
  // Nobody can log in as this user until scripts/init-secrets has given it a password, which Terraform never sees:
  // with IAM a login needs elasticache:Connect, which no role has. It demands that name and id are the same.
  const user = new ElasticacheUser(scope, 'cache-user', {
    userId: id,
    userName: id,
    engine: 'valkey',
    accessString: 'on ~* &* +@all -@dangerous +info +client',
    authenticationMode: { type: 'iam' },
    lifecycle: { ignoreChanges: ['authentication_mode', 'passwords'] },
  })
  const users = new ElasticacheUserGroup(scope, 'cache-users', {
    userGroupId: id,
    engine: 'valkey',
    userIds: [user.userId],
  })
  const cache = new ElasticacheReplicationGroup(scope, 'cache', {
    replicationGroupId: id,
    description: `${prefix}: bells, notices, limits`,
    engine: 'valkey',
    engineVersion: '8.0',
    nodeType,
    port: PORTS.redis,
    numCacheClusters: isHigh ? 2 : 1,
    automaticFailoverEnabled: isHigh,
    multiAzEnabled: isHigh,
    parameterGroupName: parameters.name,
    subnetGroupName: subnetGroup.name,
    securityGroupIds: [group],
    atRestEncryptionEnabled: 'true',
    kmsKeyId: keys.storage,
    transitEncryptionEnabled: true,
    transitEncryptionMode: 'required',
    userGroupIds: [users.userGroupId],
    snapshotRetentionLimit: 1,
    snapshotWindow: '01:00-02:00',
    maintenanceWindow: 'sun:04:30-sun:05:30',
    autoMinorVersionUpgrade: 'true',
    applyImmediately: config.name !== 'prod',
    tags: { Name: prefix },
  })
  return { host: cache.primaryEndpointAddress, username: id }
}

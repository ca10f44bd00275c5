// ElastiCache instead of a Redis container: Valkey with one primary, and a replica with high availability.
import { ElasticacheParameterGroup } from '@cdktf/provider-aws/lib/elasticache-parameter-group/index.js'
import { ElasticacheReplicationGroup } from '@cdktf/provider-aws/lib/elasticache-replication-group/index.js'
import { ElasticacheSubnetGroup } from '@cdktf/provider-aws/lib/elasticache-subnet-group/index.js'
import { ElasticacheUser } from '@cdktf/provider-aws/lib/elasticache-user/index.js'
import { ElasticacheUserGroup } from '@cdktf/provider-aws/lib/elasticache-user-group/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf, PORTS } from '../../names.ts'
import type { Keys } from '../identity/keys.ts'

export interface Cache {
  /** Endpoint name of AWS, for which the certificate is valid. A private DNS name would fail verification. */
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
    description: `${prefix}: subnets without a route to the internet`,
    subnetIds: subnets,
  })
  const parameters = new ElasticacheParameterGroup(scope, 'cache-parameters', {
    name: `${prefix}-valkey8`,
    description: `${prefix}: Valkey 8`,
    family: 'valkey8',
    // A full Redis rejects new task references, which are enqueued later, instead of evicting keys.
    parameter: [{ name: 'maxmemory-policy', value: 'noeviction' }],
  })
  // The user is created with IAM authentication, so that Terraform needs no password. No role has
  // elasticache:Connect, so nothing can log in until scripts/secrets.ts sets a password. IAM authentication
  // requires that name and id are equal.
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
    description: `${prefix}: task references, signals, rate limits`,
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
    applyImmediately: true,
    tags: { Name: prefix },
    // AWS installs minor versions by itself. The provider compares them with the version above, and a lower
    // one there would replace the cache.
    lifecycle: { ignoreChanges: ['engine_version'] },
  })
  return { host: cache.primaryEndpointAddress, username: id }
}

// The PostgreSQL instance: private, encrypted, TLS only. RDS generates and stores the master password.
import { DbInstance } from '@cdktf/provider-aws/lib/db-instance/index.js'
import { DbParameterGroup } from '@cdktf/provider-aws/lib/db-parameter-group/index.js'
import { DbSubnetGroup } from '@cdktf/provider-aws/lib/db-subnet-group/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { DATABASE, namesOf, PORTS } from '../../names.ts'
import type { Keys } from '../identity/keys.ts'
import { boundaryArn, policy, trust } from '../identity/policy.ts'
import type { LogGroups } from '../observability/logs.ts'

export interface Database {
  identifier: string
  host: string
  masterSecretArn: string
}

interface DatabaseParts {
  subnets: string[]
  group: string
  keys: Keys
  logs: LogGroups
}

export function createDatabase(
  scope: Construct,
  config: Config,
  { subnets, group, keys, logs }: DatabaseParts,
): Database {
  const { prefix, database: identifier } = namesOf(config.name)
  const settings = config.database
  const isProduction = config.name === 'prod'
  const hasDetailedMonitoring = settings.detailedMonitoring ?? isProduction

  const subnetGroup = new DbSubnetGroup(scope, 'database-subnets', {
    name: prefix,
    description: `${prefix}: subnets without a route to the internet`,
    subnetIds: subnets,
  })
  const parameters = new DbParameterGroup(scope, 'database-parameters', {
    // The name contains the version, so that a major upgrade creates a new parameter group.
    namePrefix: `${prefix}-${settings.version}-`,
    description: `${prefix}: PostgreSQL ${settings.version}`,
    family: `postgres${settings.version}`,
    parameter: [
      // RDS reports this method for this parameter, although the parameter is dynamic.
      { name: 'rds.force_ssl', value: '1', applyMethod: 'pending-reboot' },
      // A statement that is planned locks up to 50 partitions of `tasks` with 7 indexes each, and those of
      // `attempts` with one: 500 locks. Postgres has room for this many per connection, all connections together.
      { name: 'max_locks_per_transaction', value: '512', applyMethod: 'pending-reboot' },
      { name: 'log_statement', value: 'ddl' },
      { name: 'log_min_duration_statement', value: '1000' },
    ],
    lifecycle: { createBeforeDestroy: true },
  })
  const instance = new DbInstance(scope, 'database', {
    identifier,
    engine: 'postgres',
    engineVersion: settings.version,
    // A change of the setting `version` is a major upgrade. A reviewer sees it in the plan.
    allowMajorVersionUpgrade: true,
    instanceClass: settings.instanceClass,
    allocatedStorage: settings.storageGb,
    maxAllocatedStorage: settings.maxStorageGb,
    storageType: 'gp3',
    storageEncrypted: true,
    kmsKeyId: keys.storage,
    dbName: DATABASE.name,
    username: DATABASE.master,
    manageMasterUserPassword: true,
    masterUserSecretKmsKeyId: keys.storage,
    iamDatabaseAuthenticationEnabled: true,
    port: PORTS.postgres,
    dbSubnetGroupName: subnetGroup.name,
    vpcSecurityGroupIds: [group],
    publiclyAccessible: false,
    multiAz: config.availability === 'high',
    parameterGroupName: parameters.name,
    caCertIdentifier: 'rds-ca-rsa2048-g1',
    backupRetentionPeriod: settings.backupDays,
    backupWindow: '02:00-03:00',
    maintenanceWindow: 'sun:03:30-sun:04:30',
    copyTagsToSnapshot: true,
    autoMinorVersionUpgrade: true,
    deletionProtection: settings.deletionProtection,
    skipFinalSnapshot: false,
    finalSnapshotIdentifier: config.lastSnapshot ?? `${prefix}-final`,
    enabledCloudwatchLogsExports: ['postgresql', 'upgrade'],
    // Otherwise a change waits for the maintenance window, and every plan until then shows it again.
    applyImmediately: true,
    ...(hasDetailedMonitoring && {
      performanceInsightsEnabled: true,
      performanceInsightsKmsKeyId: keys.storage,
      performanceInsightsRetentionPeriod: 7,
      monitoringInterval: 60,
      monitoringRoleArn: createMonitoringRole(scope, config),
    }),
    tags: { Name: prefix },
    // Otherwise RDS would create these log groups without a retention period.
    dependsOn: [logs.database, logs.databaseUpgrade],
  })
  return {
    identifier,
    host: instance.address,
    masterSecretArn: instance.masterUserSecret.get(0).secretArn,
  }
}

function createMonitoringRole(scope: Construct, { name, account }: Config): string {
  const role = new IamRole(scope, 'database-monitoring-role', {
    name: `${namesOf(name).prefix}-database-monitoring`,
    assumeRolePolicy: trust('monitoring.rds.amazonaws.com', account.id),
    permissionsBoundary: boundaryArn(account.id, name),
  })
  // The actions of AmazonRDSEnhancedMonitoringRole, limited to the log group of enhanced monitoring.
  new IamRolePolicy(scope, 'database-monitoring-policy', {
    role: role.id,
    name: 'write',
    policy: policy({
      Action: [
        'logs:CreateLogGroup',
        'logs:PutRetentionPolicy',
        'logs:CreateLogStream',
        'logs:PutLogEvents',
        'logs:DescribeLogStreams',
        'logs:GetLogEvents',
      ],
      Resource: [
        `arn:aws:logs:${account.region}:${account.id}:log-group:RDSOSMetrics`,
        `arn:aws:logs:${account.region}:${account.id}:log-group:RDSOSMetrics:*`,
      ],
    }),
  })
  return role.arn
}

// Restores a database from a snapshot, or to a point in time, as a new instance. The running database stays
// unchanged; scripts/switch-database.ts puts the new instance in its place.
import { z } from 'zod'
import type { Config } from '../src/config/schema.ts'
import { namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import type { Aws } from './aws.ts'
import { type Database, findDatabase, majorOf, RESTORED_AS, waitForDatabase } from './database.ts'
import { runOnHosts } from './exec.ts'
import { findHosts, hostsOf } from './hosts.ts'
import { POLLING, type Polling } from './run-command.ts'

// A restore takes minutes for a small database. A large one is loaded from S3 in the background.
const TIMEOUT_MS = 2 * 60 * 60_000

export interface RestoreParts {
  aws: Aws
  config: Config
  print(line: string): void
  /** Current time, for the name of the new instance. */
  now(): Date
  polling?: Polling
}

/** A snapshot by its identifier, the `latest` one, or a time within the retention period of the backups. */
export type RestoreSource = { snapshot: string } | { time: Date }

/**
 * Restores into a new instance with the network, parameters and tags of the running database, and waits until
 * it is available. @returns the name of the new instance
 * @throws Error without a running database, or if the snapshot belongs to another environment
 */
export async function restore(parts: RestoreParts, source: RestoreSource): Promise<string> {
  const { aws, config, print, now, polling = POLLING } = parts
  const { database: name } = namesOf(config.name)
  const model = await findDatabase(aws, name)
  if (!model)
    throw new Error(
      `The database ${name} does not exist. Apply the stack, which creates an empty one, then restore again: snapshots stay until they are deleted`,
    )
  const restored = `${name}-restored-${stampOf(now())}`
  if ('snapshot' in source) {
    const snapshot = await findSnapshot(aws, name, source.snapshot)
    printVersion(parts, model, snapshot)
    print(`Restoring ${snapshot.DBSnapshotIdentifier} of ${snapshot.SnapshotCreateTime} as ${restored}`)
    await aws(['rds', 'restore-db-instance-from-db-snapshot'], {
      DBSnapshotIdentifier: snapshot.DBSnapshotIdentifier,
      DBInstanceIdentifier: restored,
      ...settingsOf(model, restored, snapshot),
    })
  } else {
    const snapshot = await lastSnapshotBefore(aws, name, source.time)
    printVersion(parts, model, snapshot)
    print(`Restoring ${name} as of ${source.time.toISOString()} as ${restored}`)
    await aws(['rds', 'restore-db-instance-to-point-in-time'], {
      SourceDBInstanceIdentifier: name,
      TargetDBInstanceIdentifier: restored,
      RestoreTime: source.time.toISOString(),
      ...settingsOf(model, restored, snapshot),
    })
  }
  const database = await completeRestored(aws, restored, model, polling)
  print(nextSteps(config, database))
  return restored
}

/**
 * Returns what to configure if the restored database has another major version. Otherwise Terraform would
 * change it.
 */
export const versionStep = ({ name }: Config, engineVersion: string) =>
  `After the switch, set database.version of ${name} to ${majorOf(engineVersion)} before infra:plan`

/**
 * Sets what the restore operations cannot set, and waits until the instance is available. It can be repeated.
 */
export async function completeRestored(
  aws: Aws,
  name: string,
  model: Database,
  polling: Polling,
): Promise<Database> {
  const restored = await waitForDatabase(aws, name, TIMEOUT_MS, polling)
  const needsSecret = model.MasterUserSecret && !restored.MasterUserSecret
  await aws(['rds', 'modify-db-instance'], {
    DBInstanceIdentifier: name,
    ApplyImmediately: true,
    ...compact({
      BackupRetentionPeriod: model.BackupRetentionPeriod,
      PreferredBackupWindow: model.PreferredBackupWindow,
      PreferredMaintenanceWindow: model.PreferredMaintenanceWindow,
      MaxAllocatedStorage: model.MaxAllocatedStorage,
      MonitoringInterval: model.MonitoringRoleArn ? model.MonitoringInterval : undefined,
      MonitoringRoleArn: model.MonitoringRoleArn,
      EnablePerformanceInsights: model.PerformanceInsightsEnabled || undefined,
      PerformanceInsightsKMSKeyId: model.PerformanceInsightsKMSKeyId,
      PerformanceInsightsRetentionPeriod: model.PerformanceInsightsRetentionPeriod,
      // The master password of a snapshot is lost with its secret. RDS generates a new one.
      ManageMasterUserPassword: needsSecret ? true : undefined,
      MasterUserSecretKmsKeyId: needsSecret ? model.MasterUserSecret?.KmsKeyId : undefined,
    }),
  })
  const hasSecret = ({ MasterUserSecret }: Database) =>
    !model.MasterUserSecret || MasterUserSecret?.SecretStatus === 'active'
  return waitForDatabase(aws, name, TIMEOUT_MS, polling, hasSecret)
}

/**
 * Whether the restored instance gets the major version of the running one. True if the version is not known.
 */
const hasVersionOf = (model: Database, snapshot: Snapshot | undefined) =>
  snapshot?.EngineVersion === undefined || majorOf(snapshot.EngineVersion) === majorOf(model.EngineVersion)

/** Prints what to configure if the restored instance gets another major version than the running one. */
function printVersion({ config, print }: RestoreParts, model: Database, snapshot?: Snapshot): void {
  if (!snapshot?.EngineVersion || hasVersionOf(model, snapshot)) return
  print(`The restored database has PostgreSQL ${majorOf(snapshot.EngineVersion)}`)
  print(versionStep(config, snapshot.EngineVersion))
}

/** Settings of an existing instance that both restore operations accept. */
function settingsOf(
  model: Database,
  restored: string,
  snapshot: Snapshot | undefined,
): Record<string, unknown> {
  return compact({
    DBInstanceClass: model.DBInstanceClass,
    DBSubnetGroupName: model.DBSubnetGroup.DBSubnetGroupName,
    // A parameter group belongs to one major version. Without it RDS uses the default group of the version.
    DBParameterGroupName: hasVersionOf(model, snapshot)
      ? model.DBParameterGroups[0]?.DBParameterGroupName
      : undefined,
    VpcSecurityGroupIds: model.VpcSecurityGroups.map(({ VpcSecurityGroupId }) => VpcSecurityGroupId),
    MultiAZ: model.MultiAZ,
    PubliclyAccessible: false,
    StorageType: model.StorageType,
    AutoMinorVersionUpgrade: model.AutoMinorVersionUpgrade,
    CopyTagsToSnapshot: true,
    EnableIAMDatabaseAuthentication: model.IAMDatabaseAuthenticationEnabled,
    EnableCloudwatchLogsExports: model.EnabledCloudwatchLogsExports,
    CACertificateIdentifier: model.CACertificateIdentifier,
    DeletionProtection: model.DeletionProtection,
    // AWS reserves the names that begin with aws:.
    Tags: [
      ...model.TagList.filter(({ Key }) => !Key.startsWith('aws:') && Key !== RESTORED_AS),
      { Key: RESTORED_AS, Value: restored },
    ],
  })
}

const compact = (values: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))

const snapshotsResponse = z.object({
  DBSnapshots: z.array(
    z.object({
      DBSnapshotIdentifier: z.string(),
      DBInstanceIdentifier: z.string(),
      EngineVersion: z.string().optional(),
      SnapshotCreateTime: z.string().optional(),
      Status: z.string(),
    }),
  ),
})
type Snapshot = z.output<typeof snapshotsResponse>['DBSnapshots'][number]

async function findSnapshot(aws: Aws, database: string, wanted: string): Promise<Snapshot> {
  const filter =
    wanted === 'latest' ? ['--db-instance-identifier', database] : ['--db-snapshot-identifier', wanted]
  const [snapshot] = await availableSnapshots(aws, filter)
  if (!snapshot) throw new Error(`There is no available snapshot ${wanted} of ${database}`)
  const source = snapshot.DBInstanceIdentifier
  if (source !== database && !source.startsWith(`${database}-`))
    throw new Error(`The snapshot ${wanted} is of ${source}, not of ${database}`)
  return snapshot
}

/** The last snapshot shows the version at that time: RDS takes one before and one after a major upgrade. */
async function lastSnapshotBefore(aws: Aws, database: string, time: Date): Promise<Snapshot | undefined> {
  const snapshots = await availableSnapshots(aws, ['--db-instance-identifier', database])
  return snapshots.find(({ SnapshotCreateTime }) => Date.parse(SnapshotCreateTime ?? '') <= time.getTime())
}

/** Returns the newest snapshot first. */
async function availableSnapshots(aws: Aws, filter: string[]): Promise<Snapshot[]> {
  const response = snapshotsResponse.parse(await aws(['rds', 'describe-db-snapshots', ...filter]))
  return response.DBSnapshots.filter(({ Status }) => Status === 'available').sort((a, b) =>
    (b.SnapshotCreateTime ?? '').localeCompare(a.SnapshotCreateTime ?? ''),
  )
}

/** Returns the time in UTC to the second, e.g. `20261130100059`. */
export const stampOf = (time: Date) => time.toISOString().slice(0, 19).replace(/\D/g, '')

/**
 * Prints the number of tasks per status in a restored database, from a host of the API.
 * @returns the exit code. It is not 0 if the password of the database role has changed since the snapshot
 */
export async function checkRestored(parts: RestoreParts, restored: string): Promise<number> {
  const { aws, config } = parts
  const address = (await findDatabase(aws, restored))?.Endpoint?.Address
  if (!address) throw new Error(`There is no database ${restored} with an address`)
  const [host] = hostsOf(await findHosts(aws, config.name), topologyOf(config).apiRole)
  if (!host) throw new Error(`No host of ${config.name} runs the API`)
  return runOnHosts(
    parts,
    [host],
    `docker compose exec -T -e RESTORED_HOST=${address} api node --input-type=module - < host/count-tasks.js`,
  )
}

function nextSteps({ name }: Config, { DBInstanceIdentifier: restored }: Database): string {
  return [
    `${restored} is available. Nothing uses it yet. To see its tasks:`,
    `  npm run infra:restore -- ${name} --check ${restored}`,
    `To put it in the place of the running database, which stays under another name:`,
    `  npm run infra:restore -- ${name} --switch ${restored}`,
    `To delete it instead:`,
    `  aws rds modify-db-instance --db-instance-identifier ${restored} --no-deletion-protection --apply-immediately`,
    `  aws rds delete-db-instance --db-instance-identifier ${restored} --skip-final-snapshot`,
  ].join('\n')
}

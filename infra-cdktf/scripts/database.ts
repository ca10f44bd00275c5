// Database instances of RDS, as far as the commands of this folder need them.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { type Aws, orMissing } from './aws.ts'
import type { Polling } from './run-command.ts'

const instance = z.object({
  DBInstanceIdentifier: z.string(),
  DBInstanceStatus: z.string(),
  DBInstanceClass: z.string(),
  DbiResourceId: z.string(),
  EngineVersion: z.string(),
  Endpoint: z.object({ Address: z.string() }).optional(),
  MultiAZ: z.boolean().default(false),
  StorageType: z.string().optional(),
  MaxAllocatedStorage: z.int().optional(),
  DBSubnetGroup: z.object({ DBSubnetGroupName: z.string() }),
  DBParameterGroups: z.array(z.object({ DBParameterGroupName: z.string() })).min(1),
  VpcSecurityGroups: z.array(z.object({ VpcSecurityGroupId: z.string() })),
  AutoMinorVersionUpgrade: z.boolean().default(true),
  IAMDatabaseAuthenticationEnabled: z.boolean().default(false),
  DeletionProtection: z.boolean().default(false),
  EnabledCloudwatchLogsExports: z.array(z.string()).default([]),
  CACertificateIdentifier: z.string().optional(),
  BackupRetentionPeriod: z.int(),
  PreferredBackupWindow: z.string().optional(),
  PreferredMaintenanceWindow: z.string().optional(),
  MonitoringInterval: z.int().optional(),
  MonitoringRoleArn: z.string().optional(),
  PerformanceInsightsEnabled: z.boolean().default(false),
  PerformanceInsightsKMSKeyId: z.string().optional(),
  PerformanceInsightsRetentionPeriod: z.int().optional(),
  MasterUserSecret: z
    .object({ SecretArn: z.string(), SecretStatus: z.string().optional(), KmsKeyId: z.string().optional() })
    .optional(),
  TagList: z.array(z.object({ Key: z.string(), Value: z.string() })).default([]),
})
export type Database = z.output<typeof instance>

/** Tag of a restored instance: the name that the restore gave it. It stays when the instance is renamed. */
export const RESTORED_AS = 'RestoredAs'

/** Returns the major version of PostgreSQL, e.g. `17` of `17.6`. */
export const majorOf = (engineVersion: string) => engineVersion.split('.')[0]

/** Returns the database instance, or undefined if none has this name. */
export async function findDatabase(aws: Aws, name: string): Promise<Database | undefined> {
  const call = aws(['rds', 'describe-db-instances', '--db-instance-identifier', name])
  const found = await orMissing(call, /^DBInstanceNotFound/)
  return found ? z.object({ DBInstances: z.array(instance) }).parse(found).DBInstances[0] : undefined
}

/** Waits until the database exists, is available and meets the condition. @throws Error after the timeout */
export async function waitForDatabase(
  aws: Aws,
  name: string,
  timeoutMs: number,
  { pollMs }: Polling,
  isReady: (database: Database) => boolean = () => true,
): Promise<Database> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const database = await findDatabase(aws, name)
    if (database?.DBInstanceStatus === 'available' && isReady(database)) return database
    const status = database?.DBInstanceStatus ?? 'missing'
    if (/failed|incompatible|inaccessible/.test(status)) throw new Error(`The database ${name} is ${status}`)
    if (Date.now() > deadline)
      throw new Error(`The database ${name} was still ${status} after ${timeoutMs / 60_000} minutes`)
    await pause(pollMs)
  }
}

// Adds RDS to the fake of AWS: instances and snapshots in memory. Changes take effect after a few
// descriptions.
import { z } from 'zod'
import { awsError, type FakeAws } from './fake-aws.ts'

type Instance = Record<string, unknown>

export interface FakeRds {
  instances: Map<string, Instance>
  snapshots: Record<string, unknown>[]
  /** Inputs of all calls that change something, in order. */
  changes: { operation: string; input: Record<string, unknown> }[]
}

const input = z.record(z.string(), z.unknown())
const text = z.string()

export function addRds(fake: FakeAws): FakeRds {
  const instances = new Map<string, Instance>()
  const snapshots: Record<string, unknown>[] = []
  const changes: FakeRds['changes'] = []
  /** Number of descriptions until an instance is available again. */
  const busy = new Map<string, number>()
  let created = 0

  function create(operation: string, raw: unknown, name: string) {
    const values = input.parse(raw)
    changes.push({ operation, input: values })
    if (instances.has(name)) throw awsError('DBInstanceAlreadyExists')
    created++
    instances.set(name, {
      ...databaseOf(name),
      DbiResourceId: `db-RESTORED${created}`,
      DBInstanceClass: values.DBInstanceClass,
      BackupRetentionPeriod: 1,
      MasterUserSecret: undefined,
      TagList: values.Tags,
      Endpoint: { Address: `${name}.abc.rds.amazonaws.com` },
    })
    busy.set(name, 2)
    return {}
  }

  Object.assign(fake.operations, {
    'rds describe-db-instances': (args: string[]) => {
      const name = args.at(-1) ?? ''
      const found = instances.get(name)
      if (!found) throw awsError('DBInstanceNotFound')
      const rest = busy.get(name) ?? 0
      busy.set(name, rest - 1)
      return { DBInstances: [{ ...found, DBInstanceStatus: rest > 0 ? 'modifying' : 'available' }] }
    },
    'rds describe-db-snapshots': ([, , option, name]: string[]) => ({
      DBSnapshots: snapshots.filter((snapshot) =>
        option === '--db-snapshot-identifier'
          ? snapshot.DBSnapshotIdentifier === name
          : snapshot.DBInstanceIdentifier === name,
      ),
    }),
    'rds restore-db-instance-from-db-snapshot': (_: string[], raw: unknown) =>
      create('snapshot', raw, text.parse(input.parse(raw).DBInstanceIdentifier)),
    'rds restore-db-instance-to-point-in-time': (_: string[], raw: unknown) =>
      create('time', raw, text.parse(input.parse(raw).TargetDBInstanceIdentifier)),
    'rds modify-db-instance': (_: string[], raw: unknown) => {
      const values = input.parse(raw)
      changes.push({ operation: 'modify', input: values })
      const name = text.parse(values.DBInstanceIdentifier)
      const found = instances.get(name)
      if (!found) throw awsError('DBInstanceNotFound')
      const to =
        values.NewDBInstanceIdentifier === undefined ? name : text.parse(values.NewDBInstanceIdentifier)
      if (to !== name && instances.has(to)) throw awsError('DBInstanceAlreadyExists')
      instances.delete(name)
      instances.set(to, {
        ...found,
        DBInstanceIdentifier: to,
        ...(values.ManageMasterUserPassword === true && {
          MasterUserSecret: { SecretArn: `secret of ${String(found.DbiResourceId)}`, SecretStatus: 'active' },
        }),
      })
      busy.set(to, 2)
      return {}
    },
  })
  return { instances, snapshots, changes }
}

/** An instance as Terraform creates it. */
export const databaseOf = (name: string): Instance => ({
  DBInstanceIdentifier: name,
  DBInstanceClass: 'db.t4g.micro',
  DbiResourceId: 'db-RUNNING',
  EngineVersion: '17.6',
  Endpoint: { Address: `${name}.abc.rds.amazonaws.com` },
  MultiAZ: false,
  DBSubnetGroup: { DBSubnetGroupName: 'waggle-dev' },
  DBParameterGroups: [{ DBParameterGroupName: 'waggle-dev-17-1' }],
  VpcSecurityGroups: [{ VpcSecurityGroupId: 'sg-database' }],
  DeletionProtection: false,
  BackupRetentionPeriod: 7,
  PreferredBackupWindow: '02:00-03:00',
  MaxAllocatedStorage: 100,
  EnabledCloudwatchLogsExports: ['postgresql', 'upgrade'],
  MasterUserSecret: { SecretArn: 'secret of the running database', SecretStatus: 'active' },
  TagList: [
    { Key: 'Environment', Value: 'dev' },
    { Key: 'aws:cloudformation:stack-name', Value: 'x' },
  ],
})

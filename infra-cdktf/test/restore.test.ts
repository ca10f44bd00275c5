// scripts/restore.ts and scripts/switch-database.ts against a fake of RDS.
import { describe, expect, test } from 'vitest'
import { checkRestored, restore } from '../scripts/restore.ts'
import { switchDatabase } from '../scripts/switch-database.ts'
import { namesOf } from '../src/names.ts'
import { createFakeAws } from './support/fake-aws.ts'
import { addRds, databaseOf } from './support/fake-rds.ts'
import { configOf } from './support/layouts.ts'

const RESTORED = 'waggle-dev-restored-20261130100059'
const OLD = 'waggle-dev-old-20261130100059'
const SECRET = `${namesOf('dev').paths.role('app')}/MASTER_SECRET_ARN`

function start({ answer = true } = {}) {
  const fake = createFakeAws('dev', ['app'])
  const rds = addRds(fake)
  rds.instances.set('waggle-dev', databaseOf('waggle-dev'))
  const snapshot = (id: string, of: string, day: string, Status = 'available') => ({
    DBSnapshotIdentifier: id,
    DBInstanceIdentifier: of,
    SnapshotCreateTime: `2026-11-${day}T02:00:00Z`,
    EngineVersion: '17.4',
    Status,
  })
  rds.snapshots.push(
    snapshot('rds:first', 'waggle-dev', '27'),
    snapshot('rds:second', 'waggle-dev', '29'),
    snapshot('rds:unfinished', 'waggle-dev', '30', 'creating'),
    snapshot('waggle-dev-final-1', 'waggle-dev', '01'),
    snapshot('of-prod', 'waggle-prod', '30'),
  )
  const lines: string[] = []
  const questions: string[] = []
  const parts = {
    aws: fake.aws,
    config: configOf('dev', 'single'),
    print: (line: string) => lines.push(line),
    now: () => new Date('2026-11-30T10:00:59Z'),
    confirm: async (question: string) => {
      questions.push(question)
      return answer
    },
    polling: { pollMs: 1 },
  }
  return { fake, rds, parts, questions, text: () => lines.join('\n') }
}

describe('a restore', () => {
  test('creates a new instance with the settings of the running one, which stays unchanged', async () => {
    const { rds, parts, text } = start()
    const before = structuredClone(rds.instances.get('waggle-dev'))
    expect(await restore(parts, { snapshot: 'latest' })).toBe(RESTORED)
    expect(rds.instances.get('waggle-dev')).toEqual(before)
    const [created, completed] = rds.changes
    expect(created).toMatchObject({
      operation: 'snapshot',
      input: {
        DBSnapshotIdentifier: 'rds:second',
        DBInstanceIdentifier: RESTORED,
        DBInstanceClass: 'db.t4g.micro',
        DBSubnetGroupName: 'waggle-dev',
        DBParameterGroupName: 'waggle-dev-17-1',
        VpcSecurityGroupIds: ['sg-database'],
        PubliclyAccessible: false,
        Tags: [
          { Key: 'Environment', Value: 'dev' },
          { Key: 'RestoredAs', Value: RESTORED },
        ],
      },
    })
    expect(completed?.input).toEqual({
      DBInstanceIdentifier: RESTORED,
      ApplyImmediately: true,
      BackupRetentionPeriod: 7,
      PreferredBackupWindow: '02:00-03:00',
      MaxAllocatedStorage: 100,
      ManageMasterUserPassword: true,
    })
    expect(text()).toContain(`npm run infra:restore -- dev --switch ${RESTORED}`)
    expect(text()).toContain(`npm run infra:restore -- dev --check ${RESTORED}`)
  })

  test('of a snapshot of a destroyed environment goes into the one that was created again', async () => {
    const { rds, parts } = start()
    await restore(parts, { snapshot: 'waggle-dev-final-1' })
    expect(rds.changes[0]?.input).toMatchObject({ DBSnapshotIdentifier: 'waggle-dev-final-1' })
  })

  test('to a point in time uses the backups of the running database', async () => {
    const { rds, parts } = start()
    expect(await restore(parts, { time: new Date('2026-11-30T09:15:00Z') })).toBe(RESTORED)
    expect(rds.changes[0]).toMatchObject({
      operation: 'time',
      input: {
        SourceDBInstanceIdentifier: 'waggle-dev',
        TargetDBInstanceIdentifier: RESTORED,
        RestoreTime: '2026-11-30T09:15:00.000Z',
        DBSubnetGroupName: 'waggle-dev',
      },
    })
  })

  test('of a snapshot of another major version uses the default parameters, and says what to set', async () => {
    const { rds, parts, text } = start()
    for (const snapshot of rds.snapshots) snapshot.EngineVersion = '16.9'
    await restore(parts, { snapshot: 'latest' })
    expect(rds.changes[0]?.input).not.toHaveProperty('DBParameterGroupName')
    expect(text()).toContain('After the switch, set database.version of dev to 16 before infra:plan')
  })

  test.each([
    ['before', '2026-11-28T00:00:00Z', '16'],
    ['after', '2026-11-30T00:00:00Z', undefined],
  ])('to a time %s a major upgrade uses the version of the last snapshot', async (_, time, version) => {
    const { rds, parts, text } = start()
    for (const snapshot of rds.snapshots)
      if (snapshot.DBSnapshotIdentifier === 'rds:first') snapshot.EngineVersion = '16.9'
    await restore(parts, { time: new Date(time) })
    expect(rds.changes[0]?.input.DBParameterGroupName).toBe(version ? undefined : 'waggle-dev-17-1')
    expect(text().includes('After the switch, set database.version of dev to 16')).toBe(version !== undefined)
  })

  test('of a database that was restored replaces the mark of the earlier restore', async () => {
    const { rds, parts } = start()
    const running = databaseOf('waggle-dev')
    rds.instances.set('waggle-dev', { ...running, TagList: [{ Key: 'RestoredAs', Value: 'earlier' }] })
    await restore(parts, { snapshot: 'latest' })
    expect(rds.changes[0]?.input.Tags).toEqual([{ Key: 'RestoredAs', Value: RESTORED }])
  })

  test('is checked from a host of the API', async () => {
    const { fake, parts } = start()
    await restore(parts, { snapshot: 'latest' })
    expect(await checkRestored(parts, RESTORED)).toBe(0)
    expect(fake.shellCommands).toEqual([
      `app: docker compose exec -T -e RESTORED_HOST=${RESTORED}.abc.rds.amazonaws.com api node --input-type=module - < host/count-tasks.js`,
    ])
    await expect(checkRestored(parts, 'waggle-dev-restored-1')).rejects.toThrow('There is no database')
  })

  test.each([
    ['of-prod', 'The snapshot of-prod is of waggle-prod, not of waggle-dev'],
    ['nothing', 'There is no available snapshot nothing of waggle-dev'],
    ['rds:unfinished', 'There is no available snapshot rds:unfinished'],
  ])('of the snapshot %s is rejected', async (snapshot, message) => {
    const { rds, parts } = start()
    await expect(restore(parts, { snapshot })).rejects.toThrow(message)
    expect(rds.changes).toEqual([])
  })

  test('without a database asks to apply the stack first', async () => {
    const { rds, parts } = start()
    rds.instances.clear()
    await expect(restore(parts, { snapshot: 'latest' })).rejects.toThrow('Apply the stack')
  })
})

describe('a switch', () => {
  async function afterRestore(options?: { answer: boolean }) {
    const started = start(options)
    await restore(started.parts, { snapshot: 'latest' })
    started.rds.changes.length = 0
    return started
  }
  const resourceOf = (started: ReturnType<typeof start>, name: string) =>
    started.rds.instances.get(name)?.DbiResourceId

  test('renames both instances, and gives the hosts the new master secret', async () => {
    const started = await afterRestore()
    await switchDatabase(started.parts, RESTORED)
    expect([...started.rds.instances.keys()].sort()).toEqual(['waggle-dev', OLD])
    expect(resourceOf(started, OLD)).toBe('db-RUNNING')
    expect(resourceOf(started, 'waggle-dev')).toBe('db-RESTORED1')
    expect(started.fake.parameters.get(SECRET)).toBe('secret of db-RESTORED1')
    expect(started.questions).toHaveLength(1)
    for (const command of ['adopt', 'plan', 'apply', 'rollout'])
      expect(started.text()).toContain(`npm run infra:${command} -- dev`)
  })

  test('to another major version says that the configuration must have it', async () => {
    const started = await afterRestore()
    started.rds.instances.set(RESTORED, { ...started.rds.instances.get(RESTORED), EngineVersion: '16.9' })
    await switchDatabase(started.parts, RESTORED)
    expect(started.text()).toContain('set database.version of dev to 16 before infra:plan')
  })

  test('without the confirmation changes nothing', async () => {
    const { rds, parts } = await afterRestore({ answer: false })
    await expect(switchDatabase(parts, RESTORED)).rejects.toThrow('Nothing was changed')
    expect(rds.changes).toEqual([])
  })

  test.each([1, 2, 3])('that is interrupted before change %i is finished by a repetition', async (calls) => {
    const started = await afterRestore()
    const modify = started.fake.operations['rds modify-db-instance']
    let count = 0
    started.fake.operations['rds modify-db-instance'] = (args, input) => {
      count++
      if (count === calls) throw new Error('interrupted')
      return modify?.(args, input)
    }
    await expect(switchDatabase(started.parts, RESTORED)).rejects.toThrow('interrupted')
    await switchDatabase(started.parts, RESTORED)
    expect(resourceOf(started, OLD)).toBe('db-RUNNING')
    expect(resourceOf(started, 'waggle-dev')).toBe('db-RESTORED1')
    expect(started.fake.parameters.get(SECRET)).toBe('secret of db-RESTORED1')
  })

  test('that is interrupted before the master secret is set is finished by a repetition', async () => {
    const started = await afterRestore()
    started.fake.failing.add('ssm put-parameter')
    await expect(switchDatabase(started.parts, RESTORED)).rejects.toThrow('AccessDenied')
    started.fake.failing.clear()
    await switchDatabase(started.parts, RESTORED)
    expect(started.fake.parameters.get(SECRET)).toBe('secret of db-RESTORED1')
    expect(resourceOf(started, 'waggle-dev')).toBe('db-RESTORED1')
  })

  test('to an instance that does not exist is rejected, although a database is running', async () => {
    const { fake, rds, parts } = await afterRestore()
    await expect(switchDatabase(parts, `${RESTORED}0`)).rejects.toThrow(`There is no instance ${RESTORED}0`)
    expect(rds.changes).toEqual([])
    expect(fake.parameters.has(SECRET)).toBe(false)
  })

  test('to the database of another environment is rejected', async () => {
    const { parts } = start()
    await expect(switchDatabase(parts, 'waggle-prod-restored-1')).rejects.toThrow(
      'is not a restored database of dev',
    )
  })
})

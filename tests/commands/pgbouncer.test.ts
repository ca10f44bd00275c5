// Each command refuses to connect through a PgBouncer that does not keep sessions or settings.
import { afterEach, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest'
import { type RedisServer, startRedisServer } from '../../src/embedded/redis-server.ts'
import { openDatabase } from '../../src/store/database.ts'
import { killLeftovers, startMain } from '../support/main-process.ts'
import { hasPgBouncer, startPgBouncer } from '../support/pgbouncer.ts'
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts'

const TRANSACTION_MODE = /transaction mode/
const SETTINGS_DROPPED = /does not pass on the settings/
const SETTINGS_REFUSED = /refuses the settings/

describe.skipIf(inject('postgresUrl') === null || !hasPgBouncer)('a database behind PgBouncer', () => {
  let database: TestDatabase
  beforeEach(async () => {
    database = await createTestDatabase()
  })
  afterEach(async () => {
    killLeftovers()
    await database.drop()
  })

  test.each<[string, RegExp, Record<string, string>]>([
    [
      'in transaction mode',
      TRANSACTION_MODE,
      { pool_mode: 'transaction', ignore_startup_parameters: 'options' },
    ],
    ['in statement mode', TRANSACTION_MODE, { pool_mode: 'statement', ignore_startup_parameters: 'options' }],
    ['that drops settings', SETTINGS_DROPPED, { pool_mode: 'session', ignore_startup_parameters: 'options' }],
    ['that refuses settings', SETTINGS_REFUSED, { pool_mode: 'session' }],
  ])('%s is refused with %s', async (_what, message, settings) => {
    const bouncer = await startPgBouncer(database.url, settings)
    onTestFinished(() => bouncer.stop())
    const opened = await openDatabase(bouncer.url)
    onTestFinished(() => opened.close())
    await expect(opened.refusePooler()).rejects.toThrow(message)
    await expect(opened.migrate()).rejects.toThrow(message)
  })

  test('a direct connection is accepted', async () => {
    const opened = await openDatabase(database.url)
    onTestFinished(() => opened.close())
    await opened.refusePooler()
  })

  describe('each command', () => {
    let redis: RedisServer
    beforeEach(async () => {
      redis = await startRedisServer()
    })
    afterEach(() => redis.stop())

    test.each(['migrate', 'api', 'worker', 'dev'])('%s refuses it', async (command) => {
      const settings = { pool_mode: 'transaction', ignore_startup_parameters: 'options' }
      const bouncer = await startPgBouncer(database.url, settings)
      onTestFinished(() => bouncer.stop())
      const started = await startMain(command, { DATABASE_URL: bouncer.url, REDIS_URL: redis.url })
      expect(await started.ended).toBe(1)
      expect(started.output()).toMatch(TRANSACTION_MODE)
    })
  })
})

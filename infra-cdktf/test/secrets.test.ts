// scripts/secrets.ts: secrets are created once, are random, and appear in no command line.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { initSecrets, smokeKeyOf } from '../scripts/secrets.ts'
import { namesOf, SECRETS } from '../src/names.ts'
import { createFakeAws } from './support/fake-aws.ts'
import { configOf } from './support/layouts.ts'

const config = configOf('dev', 'single')
const { paths } = namesOf('dev')
const ALL = [
  ...SECRETS.app.map((name) => `${paths.app}/${name}`),
  ...SECRETS.api.map((name) => `${paths.role('app')}/${name}`),
].sort()

test('all secrets are created, and none of them is a command line argument', async () => {
  const fake = createFakeAws('dev', [])
  const { created, operatorKey } = await initSecrets(fake.aws, config)
  expect([...fake.parameters.keys()].sort()).toEqual(ALL)
  expect(created.sort()).toEqual(ALL)
  expect(operatorKey).toMatch(/^wgl_[\w-]{43}$/)
  for (const value of fake.parameters.values()) expect(fake.commandLines.join()).not.toContain(value)
  expect([...fake.parameters.values()]).not.toContain(operatorKey)
})

test('API_KEYS contains the hashes of exactly the created keys', async () => {
  const fake = createFakeAws('dev', [])
  const { operatorKey = '' } = await initSecrets(fake.aws, config)
  const keys = {
    operator: operatorKey,
    smoke: fake.parameters.get(smokeKeyOf(config)) ?? '',
    metrics: fake.parameters.get(`${paths.role('app')}/METRICS_API_KEY`) ?? '',
  }
  const hashOf = (key: string) => createHash('sha256').update(key).digest('hex')
  expect(fake.parameters.get(`${paths.role('app')}/API_KEYS`)?.split(',')).toEqual([
    `operator:submit+read+operate:${hashOf(keys.operator)}`,
    `smoke:submit+read:${hashOf(keys.smoke)}`,
    `metrics:read:${hashOf(keys.metrics)}`,
  ])
})

test('existing secrets stay unchanged, and missing secrets are added', async () => {
  const fake = createFakeAws('dev', [])
  await initSecrets(fake.aws, config)
  const before = new Map(fake.parameters)
  fake.parameters.delete(`${paths.app}/WEBHOOK_SECRET`)
  expect(await initSecrets(fake.aws, config)).toEqual({ created: [`${paths.app}/WEBHOOK_SECRET`] })
  for (const [name, value] of before)
    if (!name.endsWith('WEBHOOK_SECRET')) expect(fake.parameters.get(name)).toBe(value)
})

test('API keys stay valid when the topology changes', async () => {
  const fake = createFakeAws('dev', [])
  await initSecrets(fake.aws, config)
  expect(await initSecrets(fake.aws, configOf('dev', 'multi'))).not.toHaveProperty('operatorKey')
  for (const name of SECRETS.api)
    expect(fake.parameters.get(`${paths.role('api')}/${name}`)).toBe(
      fake.parameters.get(`${paths.role('app')}/${name}`),
    )
})

test('the ElastiCache user gets the same password, and an error asks to apply first if it does not exist', async () => {
  const config = configOf('dev', 'high')
  const fake = createFakeAws('dev', [])
  await expect(initSecrets(fake.aws, config)).rejects.toThrow(
    'does not exist; apply the stack, then run this again',
  )
  fake.cacheUsers.set('waggle-dev', [])
  expect((await initSecrets(fake.aws, config)).created).toEqual([
    'the password of the ElastiCache user waggle-dev',
  ])
  expect(fake.cacheUsers.get('waggle-dev')).toEqual([fake.parameters.get(`${paths.app}/REDIS_PASSWORD`)])
})

test('the ElastiCache user keeps both passwords while a rotation is unfinished', async () => {
  const config = configOf('dev', 'high')
  const fake = createFakeAws('dev', [])
  fake.cacheUsers.set('waggle-dev', ['the old password', 'the new password'])
  fake.parameters.set(`${paths.rotation}/REDIS_PASSWORD`, 'the old password')
  const { created } = await initSecrets(fake.aws, config)
  expect(created.join()).not.toContain('ElastiCache')
  expect(fake.cacheUsers.get('waggle-dev')).toEqual(['the old password', 'the new password'])
})

test('with kms "cmk" the key of the environment encrypts the secrets', async () => {
  const keysOf = async (kms: 'aws' | 'cmk') => {
    const keys = new Set<unknown>()
    const { aws } = createFakeAws('dev', [])
    const watched: typeof aws = (args, input) => {
      if (args[1] === 'put-parameter') keys.add(input?.KeyId)
      return aws(args, input)
    }
    await initSecrets(watched, configOf('dev', 'single', { kms }))
    return [...keys]
  }
  // Without a key id Systems Manager uses the key that AWS manages.
  expect(await keysOf('aws')).toEqual([undefined])
  expect(await keysOf('cmk')).toEqual(['alias/waggle-dev'])
})

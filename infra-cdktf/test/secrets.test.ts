// scripts/secrets.ts: made once, at random, and nowhere to be seen.
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

test('all secrets are made, and none of them is an argument of a program', async () => {
  const fake = createFakeAws('dev', [])
  const { made, operatorKey } = await initSecrets(fake.aws, config)
  expect([...fake.parameters.keys()].sort()).toEqual(ALL)
  expect(made.sort()).toEqual(ALL)
  expect(operatorKey).toMatch(/^wgl_[\w-]{43}$/)
  for (const value of fake.parameters.values()) expect(fake.seen.join()).not.toContain(value)
  expect([...fake.parameters.values()]).not.toContain(operatorKey)
})

test('the API lets in exactly those whose keys were made', async () => {
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

test('what is there already stays, and what is missing is added', async () => {
  const fake = createFakeAws('dev', [])
  await initSecrets(fake.aws, config)
  const before = new Map(fake.parameters)
  fake.parameters.delete(`${paths.app}/WEBHOOK_SECRET`)
  expect(await initSecrets(fake.aws, config)).toEqual({ made: [`${paths.app}/WEBHOOK_SECRET`] })
  for (const [name, value] of before)
    if (!name.endsWith('WEBHOOK_SECRET')) expect(fake.parameters.get(name)).toBe(value)
})

test('who had a key in one layout keeps it in another', async () => {
  const fake = createFakeAws('dev', [])
  await initSecrets(fake.aws, config)
  expect(await initSecrets(fake.aws, configOf('dev', 'multi'))).not.toHaveProperty('operatorKey')
  for (const name of SECRETS.api)
    expect(fake.parameters.get(`${paths.role('api')}/${name}`)).toBe(
      fake.parameters.get(`${paths.role('app')}/${name}`),
    )
})

test('the user of ElastiCache is given the same password, or it is said what to do first', async () => {
  const config = configOf('dev', 'high')
  const fake = createFakeAws('dev', [])
  await expect(initSecrets(fake.aws, config)).rejects.toThrow('is not there yet: apply, and run this again')
  fake.cacheUsers.set('waggle-dev', '')
  expect((await initSecrets(fake.aws, config)).made).toEqual([
    'the password of the user waggle-dev of ElastiCache',
  ])
  expect(fake.cacheUsers.get('waggle-dev')).toBe(fake.parameters.get(`${paths.app}/REDIS_PASSWORD`))
})

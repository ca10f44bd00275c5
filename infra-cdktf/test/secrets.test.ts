// scripts/secrets.ts: made once, at random, and nowhere to be seen.
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { initSecrets, smokeKeyOf } from '../scripts/secrets.ts'
import { account } from '../src/config/account.ts'
import { environments } from '../src/config/environments.ts'
import { parseAccount, parseEnvironment } from '../src/config/schema.ts'
import { namesOf, SECRETS } from '../src/names.ts'
import { createFakeAws } from './support/fake-aws.ts'

const config = parseEnvironment('dev', environments.dev, parseAccount(account))
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

// Invalid configurations are rejected with a message that names the field.
import { describe, expect, test } from 'vitest'
import { environments } from '../environments.ts'
import { type AccountInput, parseAccount, parseEnvironment } from '../src/config/schema.ts'
import { subjectOf } from '../src/constructs/github/github-subject.ts'
import { account, layouts } from './support/layouts.ts'

const parsedAccount = parseAccount(account)
const parse = (input: unknown, name = 'prod') => parseEnvironment(name, input, parsedAccount)
const { single, multi, high } = layouts

test.each(Object.entries(environments))('the configured environment %s is valid', (name, input) => {
  expect(parseEnvironment(name, input, parsedAccount)).toMatchObject({ name })
})

describe('a configuration is rejected:', () => {
  const rejected: [string, unknown, name?: string][] = [
    ['No environment is named "production"; known are dev, staging, prod', single, 'production'],
    ['topology: Invalid option: expected one of "single"|"multi"', { ...single, topology: 'cluster' }],
    ['Unrecognized key: "vpcCIDR"', { ...single, vpcCIDR: '10.0.0.0/16' }],
    ['vpcCidr: must be a range of the form 10.x.0.0/16', { ...single, vpcCidr: '192.168.0.0/16' }],
    ['vpcCidr: must be a range of the form 10.x.0.0/16', { ...single, vpcCidr: '10.300.0.0/16' }],
    ['zones: must be two different zones', { ...single, zones: ['a', 'a'] }],
    [
      'workers.concurrency: Too small: expected number to be >=1',
      { ...multi, workers: { count: 1, concurrency: 0 } },
    ],
    ['domain is required with ingress "alb"', { ...high, domain: undefined }],
    ['ingress must be "alb" with api.count above 1', { ...multi, api: { count: 2 } }],
    [
      'api.count must be 1 with topology "single"',
      { ...single, ingress: 'alb', domain: high.domain, api: { count: 2 } },
    ],
    ['workers.count must be 1 with topology "single"', { ...single, workers: { count: 2, concurrency: 5 } }],
    [
      'workers.scaling excludes workers.kinds',
      {
        ...high,
        workers: { ...high.workers, kinds: { cpu: { count: 1, concurrency: 2, queues: ['cpu'] } } },
      },
    ],
    ['workers.scaling needs topology "multi"', { ...single, workers: { ...high.workers, count: 1 } }],
    [
      'workers.scaling.max: must not be less than min',
      { ...multi, workers: { ...multi.workers, scaling: { min: 3, max: 2, backlogPerHost: 10 } } },
    ],
    ['egress must be "public-ip" with ingress "edge"', { ...multi, egress: 'nat-gateway' }],
    ['cache.kind must be "elasticache" with availability "high"', { ...high, cache: { kind: 'container' } }],
    ['cache.kind: Invalid', { ...multi, cache: { kind: 'serverless' } }],
    ['Unrecognized key: "shards"', { ...high, cache: { ...high.cache, shards: 3 } }],
    [
      'topology must be "multi" with availability "high"',
      { ...single, availability: 'high', cache: high.cache },
    ],
    [
      'hosts.architecture does not fit an instance type',
      { ...single, hosts: { ...single.hosts, architecture: 'x86_64' } },
    ],
    [
      'hosts.architecture does not fit an instance type',
      { ...single, hosts: { ...single.hosts, instanceType: 't3.small' } },
    ],
    [
      'hosts.byRole names a role that this topology has no host for',
      { ...single, hosts: { ...single.hosts, byRole: { redis: 't4g.nano' } } },
    ],
    ['database.maxStorageGb must not be less than storageGb', { ...single, database: { storageGb: 200 } }],
    [
      'database.deletionProtection must be true in prod',
      { ...single, database: { deletionProtection: false } },
    ],
    ['database.backupDays must be at least 7 in prod', { ...single, database: { backupDays: 3 } }],
    ['database.version: Invalid', { ...single, database: { version: '12' } }],
  ]
  test.each(rejected)('%s', (message, input, name) => {
    expect(() => parse(input, name)).toThrow(message)
  })

  test('one message lists all invalid fields', () => {
    expect(() => parse({ ...single, database: { deletionProtection: false, backupDays: 1 } })).toThrow(
      /^The configuration of prod is not valid:\n {2}database\.deletionProtection .*\n {2}database\.backupDays .*$/,
    )
  })

  test.each<[string, Partial<AccountInput>]>([
    ['id: must be the 12 digits of an account', { id: '1234' }],
    ['region: must be a region', { region: 'Frankfurt' }],
    [
      'github.repository: must be the name of a repository',
      { github: { ...account.github, repository: 'owner/waggle' } },
    ],
    ['email: must be an e-mail address', { email: 'me' }],
  ])('the account: %s', (message, change) => {
    expect(() => parseAccount({ ...account, ...change })).toThrow(message)
  })
})

describe('the subject of a GitHub token', () => {
  const github = {
    owner: 'octo-org',
    ownerId: 123456,
    repository: 'waggle',
    repositoryId: 987654,
    legacySubject: false,
  }

  test('contains the ids of owner and repository', () => {
    expect(subjectOf(github, 'environment:production')).toBe(
      'repo:octo-org@123456/waggle@987654:environment:production',
    )
    expect(subjectOf(github, 'pull_request')).toBe('repo:octo-org@123456/waggle@987654:pull_request')
  })

  test('contains no ids with legacySubject', () => {
    const legacy = { ...github, legacySubject: true }
    expect(subjectOf(legacy, 'ref:refs/heads/main')).toBe('repo:octo-org/waggle:ref:refs/heads/main')
  })
})

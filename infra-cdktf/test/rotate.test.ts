// scripts/rotate.ts, and host/redis-password.sh with fakes.
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Rotatable, rotate } from '../scripts/rotate.ts'
import { namesOf } from '../src/names.ts'
import { createFakeAws, type FakeAws } from './support/fake-aws.ts'
import type { FakeHost } from './support/fake-host.ts'
import { configOf, type Layout } from './support/layouts.ts'
import { expectSuccess, FIRST, paths as prodPaths, startRunningHost } from './support/started-host.ts'

const { paths } = namesOf('staging')
const ADD = 'redis: host/redis-password.sh add'
const SET = 'redis: host/redis-password.sh set'

function start(layout: Layout = 'multi') {
  const fake = createFakeAws(
    'staging',
    layout === 'multi' ? ['api-1', 'redis', 'worker-1'] : ['api-1', 'worker'],
  )
  fake.parameters.set(paths.releaseCurrent, FIRST)
  for (const name of ['DATABASE_PASSWORD', 'REDIS_PASSWORD'])
    fake.parameters.set(`${paths.app}/${name}`, 'the old password')
  fake.cacheUsers.set('waggle-staging', ['the old password'])
  const parts = {
    aws: fake.aws,
    config: configOf('staging', layout),
    print: () => {},
    smoke: async () => {},
    polling: { pollMs: 1 },
  }
  return { fake, parts }
}

const storedIn = (fake: FakeAws, what: Rotatable) =>
  fake.parameters.get(`${paths.app}/${what === 'redis' ? 'REDIS' : 'DATABASE'}_PASSWORD`)
const markersIn = (fake: FakeAws) =>
  [...fake.parameters.keys()].filter((name) => name.startsWith(paths.rotation))

describe('the rotation of the database password', () => {
  test('rolls out the current release with a new random password, the API before workers', async () => {
    const { fake, parts } = start()
    await rotate(parts, 'database')
    expect(storedIn(fake, 'database')).toMatch(/^[0-9a-f]{48}$/)
    expect(fake.rollouts).toEqual(['redis', 'api-1', 'worker-1'].map((name) => `${name} ${FIRST}`))
    expect(markersIn(fake)).toEqual([])
    expect(fake.shellCommands).toEqual([])
    expect(storedIn(fake, 'redis')).toBe('the old password')
  })

  test('continues with the same password after a rollout that failed', async () => {
    const { fake, parts } = start()
    fake.fail('worker-1', FIRST)
    await expect(rotate(parts, 'database')).rejects.toThrow('worker-1: Failed')
    const password = storedIn(fake, 'database')
    expect(password).not.toBe('the old password')
    fake.repair()
    await rotate(parts, 'database')
    expect(storedIn(fake, 'database')).toBe(password)
    expect(markersIn(fake)).toEqual([])
  })

  test('is rejected before the first release', async () => {
    const { fake, parts } = start()
    fake.parameters.delete(paths.releaseCurrent)
    await expect(rotate(parts, 'database')).rejects.toThrow('There is no release yet')
    expect(storedIn(fake, 'database')).toBe('the old password')
  })
})

describe('the rotation of the Redis password', () => {
  test('lets Redis accept both passwords during the rollout, and then only the new one', async () => {
    const { fake, parts } = start()
    const events = recordEvents(fake)
    await rotate(parts, 'redis')
    expect(events).toEqual([
      'put marker',
      'put password',
      ADD,
      'rollout',
      'rollout',
      'rollout',
      SET,
      'delete marker',
    ])
    expect(storedIn(fake, 'redis')).toMatch(/^[0-9a-f]{48}$/)
  })

  test('in ElastiCache uses two passwords of the user', async () => {
    const { fake, parts } = start('high')
    const seen: string[][] = []
    const modify = fake.operations['elasticache modify-user']
    fake.operations['elasticache modify-user'] = (args, input) => {
      const result = modify?.(args, input)
      seen.push([...(fake.cacheUsers.get('waggle-staging') ?? [])])
      return result
    }
    await rotate(parts, 'redis')
    const password = storedIn(fake, 'redis')
    expect(seen).toEqual([['the old password', password], [password]])
  })

  test('stops if Redis does not accept a second password', async () => {
    const { fake, parts } = start()
    fake.failing.add('host/redis-password.sh add')
    await expect(rotate(parts, 'redis')).rejects.toThrow('redis-password.sh add failed with exit code 7')
    expect(fake.rollouts).toEqual([])
  })

  // Every call that changes something, in order: both parameters, add, 3 rollouts, set, the marker.
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('continues after an interruption before change %i', async (change) => {
    const { fake, parts } = start()
    let count = 0
    const interrupted: typeof fake.aws = async (args, input) => {
      if (CHANGES.has(args.slice(0, 2).join(' '))) count++
      if (count === change) throw new Error('interrupted')
      return fake.aws(args, input)
    }
    await expect(rotate({ ...parts, aws: interrupted }, 'redis')).rejects.toThrow('interrupted')
    const password = storedIn(fake, 'redis')
    await rotate(parts, 'redis')
    expect(storedIn(fake, 'redis')).not.toBe('the old password')
    if (change > 2) expect(storedIn(fake, 'redis')).toBe(password)
    expect(fake.shellCommands.at(-1)).toBe(SET)
    expect(markersIn(fake)).toEqual([])
  })
})

test('no password is a command line argument', async () => {
  for (const layout of ['multi', 'high'] as const) {
    const { fake, parts } = start(layout)
    await rotate(parts, 'redis')
    expect(fake.commandLines.join('\n')).not.toContain(storedIn(fake, 'redis'))
    expect(fake.commandLines.join('\n')).not.toContain('the old password')
  }
})

describe('redis-password.sh', () => {
  const scriptOn = (host: FakeHost) => join(host.root, 'opt/waggle/current/host/redis-password.sh')

  test('add passes the new password on standard input', async () => {
    const host = await startRunningHost('redis')
    host.fake(
      'parameters.json',
      JSON.stringify({
        ...JSON.parse(host.read('../fakes/parameters.json')),
        [`${prodPaths.app}/REDIS_PASSWORD`]: 'a "new" one',
      }),
    )
    await expectSuccess(host.run(scriptOn(host), 'add'))
    expect(host.read('../fakes/input-of-exec')).toBe('>a "new" one')
    expect(host.calls().join()).not.toContain('a "new" one')
  })

  test('set restarts only Redis, with rendered settings', async () => {
    const host = await startRunningHost('redis')
    await expectSuccess(host.run(scriptOn(host), 'set'))
    expect(host.calls().at(-1)).toBe(
      'docker compose --progress quiet up -d --wait --no-deps --no-build redis',
    )
  })

  test('without a step explains its usage', async () => {
    const host = await startRunningHost('redis')
    expect(await host.run(scriptOn(host))).toMatchObject({
      code: 1,
      output: 'Usage: redis-password.sh add | set\n',
    })
  })
})

const CHANGES = new Set(['ssm put-parameter', 'ssm send-command', 'ssm delete-parameters'])

function recordEvents(fake: FakeAws): string[] {
  const events: string[] = []
  const {
    'ssm put-parameter': put,
    'ssm send-command': send,
    'ssm delete-parameters': remove,
  } = fake.operations
  const nameOf = (input: unknown) =>
    JSON.stringify(input).includes(paths.rotation) ? 'put marker' : 'put password'
  fake.operations['ssm put-parameter'] = (args, input) => {
    if (!JSON.stringify(input).includes(paths.releaseCurrent)) events.push(nameOf(input))
    return put?.(args, input)
  }
  fake.operations['ssm send-command'] = (args, input) => {
    const before = fake.shellCommands.length
    const result = send?.(args, input)
    events.push(fake.shellCommands.length > before ? (fake.shellCommands.at(-1) ?? '') : 'rollout')
    return result
  }
  fake.operations['ssm delete-parameters'] = (args, input) => {
    events.push('delete marker')
    return remove?.(args, input)
  }
  return events
}

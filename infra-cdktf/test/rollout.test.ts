// scripts/rollout.ts: rollouts and rollbacks over all hosts, against a fake of AWS in memory.
import { describe, expect, test } from 'vitest'
import type { RunningHost } from '../scripts/hosts.ts'
import { restoreCurrent, rollBack, rollOut } from '../scripts/rollout.ts'
import { namesOf } from '../src/names.ts'
import { createFakeAws, type FakeAws } from './support/fake-aws.ts'
import { configOf } from './support/layouts.ts'

const [FIRST, SECOND] = ['1111111', '2222222'] as const
const { paths } = namesOf('staging')
const SCALING = { min: 1, max: 4, backlogPerHost: 100 }
const HOSTS = ['api-1', 'redis', 'worker-1', 'worker-2']

function partsOf(fake: FakeAws, { smoke = async (_: RunningHost[]) => {}, isScaled = false } = {}) {
  const workers = { count: 2, concurrency: 20, ...(isScaled && { scaling: SCALING }) }
  const config = configOf('staging', 'multi', { workers })
  return { aws: fake.aws, config, smoke, print: () => {}, polling: { pollMs: 1 } }
}

const releaseOf = ({ parameters }: FakeAws) => [
  parameters.get(paths.releaseCurrent),
  parameters.get(paths.releasePrevious),
]

async function withFirstRelease(names = HOSTS): Promise<FakeAws> {
  const fake = createFakeAws('staging', names)
  await rollOut(partsOf(fake), FIRST)
  fake.rollouts.length = 0
  return fake
}

describe('a rollout', () => {
  test('starts the API before workers the first time, because the API host creates the tables', async () => {
    const fake = createFakeAws('staging', HOSTS)
    await rollOut(partsOf(fake), FIRST)
    expect(fake.rollouts).toEqual(
      ['redis', 'api-1', 'worker-1', 'worker-2'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('replaces workers before the API later, because they can run tasks of the old API', async () => {
    const fake = await withFirstRelease()
    await rollOut(partsOf(fake), SECOND)
    expect(fake.rollouts).toEqual(
      ['redis', 'worker-1', 'worker-2', 'api-1'].map((name) => `${name} ${SECOND}`),
    )
    expect(releaseOf(fake)).toEqual([SECOND, FIRST])
  })

  test('that fails on a host stops, is rolled back, and does not change the release', async () => {
    const fake = await withFirstRelease()
    fake.fail('worker-2', SECOND)
    await expect(rollOut(partsOf(fake), SECOND)).rejects.toThrow(
      /2222222 was rolled back to 1111111: worker-2: Failed\nThe new worker does not stay up/,
    )
    expect(fake.rollouts).toEqual([
      ...['redis', 'worker-1'].map((name) => `${name} ${SECOND}`),
      ...['worker-1', 'redis'].map((name) => `${name} ${FIRST}`),
    ])
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('is rolled back, the API first, if the smoke test fails', async () => {
    const fake = await withFirstRelease()
    const smoke = async () => {
      throw new Error('Task 1 was still PENDING after 60 s')
    }
    await expect(rollOut(partsOf(fake, { smoke }), SECOND)).rejects.toThrow('was still PENDING')
    expect(fake.rollouts.slice(4)).toEqual(
      ['api-1', 'worker-1', 'worker-2', 'redis'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('that cannot be rolled back reports both failures', async () => {
    const fake = await withFirstRelease()
    fake.fail('api-1', SECOND)
    fake.fail('worker-1', FIRST)
    await expect(rollOut(partsOf(fake), SECOND)).rejects.toThrow(
      /^api-1: Failed[\s\S]*The rollback to 1111111 failed: worker-1: Failed/,
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('of the current release includes all hosts, so that they read changed settings', async () => {
    const fake = await withFirstRelease()
    await rollOut(partsOf(fake), FIRST)
    // The API before workers: its host sets the new password of the database role.
    expect(fake.rollouts).toEqual(
      ['redis', 'api-1', 'worker-1', 'worker-2'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('includes hosts that started during the rollout', async () => {
    const fake = await withFirstRelease(['api-1', 'redis', 'worker'])
    const smoke = async () => fake.addHost('worker-9')
    await rollOut(partsOf(fake, { smoke, isScaled: true }), SECOND)
    expect(fake.rollouts.at(-1)).toBe(`worker-9 ${SECOND}`)
  })

  describe('while a scaled worker ends', () => {
    const WORKERS = ['worker-1', 'worker-2', 'worker-3']

    async function rollOutWhile(change: (fake: FakeAws) => void, { isScaled = true } = {}) {
      const fake = await withFirstRelease(['api-1', 'redis', ...WORKERS])
      change(fake)
      await rollOut(partsOf(fake, { isScaled }), SECOND)
      return fake.rollouts
    }

    /** Calls `end` when the first rollout on workers is sent. */
    const whenSent = (fake: FakeAws, end: () => void) => {
      const send = fake.operations['ssm send-command']
      fake.operations['ssm send-command'] = (args, input) => {
        const result = send?.(args, input)
        if (JSON.stringify(input).includes('i-worker-2')) end()
        return result
      }
    }
    const others = ['redis', 'worker-1', 'worker-3', 'api-1'].map((name) => `${name} ${SECOND}`)

    test('before the rollout reaches it continues with the others', async () => {
      const rollouts = await rollOutWhile((fake) => {
        const describe = fake.operations['ssm describe-instance-information']
        fake.operations['ssm describe-instance-information'] = (args, input) => {
          if (JSON.stringify(input).includes('i-worker-2')) fake.endHost('worker-2')
          return describe?.(args, input)
        }
      })
      expect(rollouts).toEqual(others)
    })

    test('and its rollout fails continues with the others', async () => {
      const rollouts = await rollOutWhile((fake) => {
        fake.fail('worker-2', SECOND)
        whenSent(fake, () => fake.endHost('worker-2'))
      })
      expect(rollouts).toEqual(others)
    })

    test('and its rollout never ends continues with the others', async () => {
      const rollouts = await rollOutWhile((fake) => {
        fake.fail('worker-2', SECOND)
        const list = fake.operations['ssm list-command-invocations']
        fake.operations['ssm list-command-invocations'] = (args, input) =>
          JSON.parse(JSON.stringify(list?.(args, input)).replaceAll('"Failed"', '"InProgress"'))
        whenSent(fake, () => fake.endHost('worker-2'))
      })
      expect(rollouts).toEqual(others)
    })

    test('all of them succeeds', async () => {
      const rollouts = await rollOutWhile((fake) => {
        for (const name of WORKERS) fake.fail(name, SECOND)
        whenSent(fake, () => WORKERS.forEach(fake.endHost))
      })
      expect(rollouts).toEqual(['redis', 'api-1'].map((name) => `${name} ${SECOND}`))
    })

    test('another one that fails and still exists is a failure', async () => {
      const rollouts = rollOutWhile((fake) => {
        fake.fail('worker-2', SECOND)
        whenSent(fake, () => fake.endHost('worker-3'))
      })
      await expect(rollouts).rejects.toThrow('was rolled back to 1111111: worker-2: Failed')
    })

    test('is a failure without scaling', async () => {
      const rollouts = rollOutWhile(
        (fake) => {
          fake.fail('worker-2', SECOND)
          whenSent(fake, () => fake.endHost('worker-2'))
        },
        { isScaled: false },
      )
      await expect(rollouts).rejects.toThrow('was rolled back to 1111111: worker-2: Failed')
    })
  })

  test('fails without changing any host if a role has no host', async () => {
    const fake = createFakeAws('staging', ['worker-1'])
    await expect(rollOut(partsOf(fake), FIRST)).rejects.toThrow(
      'No host of waggle-staging has the role "redis"; apply the stack first',
    )
    expect(fake.rollouts).toEqual([])
  })

  test('of more than 50 hosts sends several commands, one after the other', async () => {
    const workers = Array.from({ length: 120 }, (_, index) => `worker-${index + 1}`)
    const fake = createFakeAws('staging', ['api-1', 'redis', ...workers])
    await rollOut(partsOf(fake), FIRST)
    const names = ['api-1', 'redis', ...workers]
    expect(new Set(fake.rollouts)).toEqual(new Set(names.map((name) => `${name} ${FIRST}`)))
    // 1 for Redis, 1 for the API, 3 for the workers.
    expect(fake.commandLines.filter((line) => line.startsWith('ssm send-command'))).toHaveLength(5)
  })

  test('replaces the hosts of every kind of worker before the API', async () => {
    const fake = await withFirstRelease([...HOSTS, 'worker-cpu-1'])
    const kinds = { cpu: { concurrency: 2, queues: ['cpu'] } }
    const config = configOf('staging', 'multi', { workers: { count: 2, concurrency: 20, kinds } })
    await rollOut({ ...partsOf(fake), config }, SECOND)
    expect(fake.rollouts.filter((line) => line.endsWith(SECOND))).toEqual(
      ['redis', 'worker-1', 'worker-2', 'worker-cpu-1', 'api-1'].map((name) => `${name} ${SECOND}`),
    )
  })

  test('deletes the reports of hosts that no longer exist, also of more than 10', async () => {
    const fake = await withFirstRelease()
    for (let index = 0; index < 25; index++) fake.parameters.set(`${paths.ready}/i-old-${index}`, FIRST)
    fake.addHost('worker-3', 'stopped')
    fake.parameters.set(`${paths.ready}/i-worker-3`, FIRST)
    await rollOut(partsOf(fake), SECOND)
    expect([...fake.parameters.keys()].filter((name) => name.startsWith(paths.ready)).sort()).toEqual(
      [...HOSTS, 'worker-3'].map((name) => `${paths.ready}/i-${name}`).sort(),
    )
  })

  test('succeeds if the reports of old hosts cannot be deleted', async () => {
    const fake = await withFirstRelease()
    fake.parameters.set(`${paths.ready}/i-old`, FIRST)
    fake.failing.add('ssm delete-parameters')
    await rollOut(partsOf(fake), SECOND)
    expect(releaseOf(fake)).toEqual([SECOND, FIRST])
  })

  test.each(['', 'latest', 'HEAD', '1111111;id'])('to %j is rejected', async (tag) => {
    const fake = createFakeAws('staging', HOSTS)
    await expect(rollOut(partsOf(fake), tag)).rejects.toThrow('is not a commit')
    expect(fake.commandLines).toEqual([])
  })
})

describe('a rollback', () => {
  test('restores the previous release and remembers the newer one', async () => {
    const fake = await withFirstRelease()
    await rollOut(partsOf(fake), SECOND)
    await rollBack(partsOf(fake))
    expect(fake.rollouts.slice(4)).toEqual(
      ['api-1', 'worker-1', 'worker-2', 'redis'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, SECOND])
  })

  test('is rejected without a previous release', async () => {
    const fake = await withFirstRelease()
    await expect(rollBack(partsOf(fake))).rejects.toThrow('no previous release to roll back to')
  })

  test('of an interrupted rollout changes only the hosts that it had reached', async () => {
    const fake = await withFirstRelease()
    fake.parameters.set(`${paths.ready}/i-worker-1`, SECOND)
    await restoreCurrent(partsOf(fake))
    expect(fake.rollouts).toEqual([`worker-1 ${FIRST}`])
  })
})

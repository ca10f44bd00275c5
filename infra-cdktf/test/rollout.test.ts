// scripts/rollout.ts: over all hosts and back, against an AWS in memory.
import { describe, expect, test } from 'vitest'
import type { RunningHost } from '../scripts/hosts.ts'
import { finish, rollBack, rollOut } from '../scripts/rollout.ts'
import { namesOf } from '../src/names.ts'
import { createFakeAws, type FakeAws } from './support/fake-aws.ts'
import { configOf } from './support/layouts.ts'

const [FIRST, SECOND] = ['1111111', '2222222'] as const
const { paths } = namesOf('staging')
const SCALING = { min: 1, max: 4, backlogPerHost: 100 }
const HOSTS = ['api-1', 'redis', 'worker-1', 'worker-2']

function partsOf(fake: FakeAws, { smoke = async (_: RunningHost[]) => {}, isScaled = false } = {}) {
  const said: string[] = []
  const workers = { count: 2, concurrency: 20, ...(isScaled && { scaling: SCALING }) }
  const config = configOf('staging', 'multi', { workers })
  return { aws: fake.aws, config, smoke, said, say: (line: string) => said.push(line), pace: { pollMs: 1 } }
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
  test('the first time starts the API before workers: its host makes the tables', async () => {
    const fake = createFakeAws('staging', HOSTS)
    await rollOut(partsOf(fake), FIRST)
    expect(fake.rollouts).toEqual(
      ['redis', 'api-1', 'worker-1', 'worker-2'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('later takes workers before the API: they understand what the old API submits', async () => {
    const fake = await withFirstRelease()
    await rollOut(partsOf(fake), SECOND)
    expect(fake.rollouts).toEqual(
      ['redis', 'worker-1', 'worker-2', 'api-1'].map((name) => `${name} ${SECOND}`),
    )
    expect(releaseOf(fake)).toEqual([SECOND, FIRST])
  })

  test('that fails on a host goes no further, is taken back, and moves no release', async () => {
    const fake = await withFirstRelease()
    fake.fail('worker-2', SECOND)
    await expect(rollOut(partsOf(fake), SECOND)).rejects.toThrow(
      /2222222 was taken back, 1111111 runs: worker-2: Failed\nThe new worker does not stay up/,
    )
    expect(fake.rollouts).toEqual([
      ...['redis', 'worker-1'].map((name) => `${name} ${SECOND}`),
      ...['worker-1', 'redis'].map((name) => `${name} ${FIRST}`),
    ])
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('after which tasks do not end is taken back too, the API first', async () => {
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

  test('that cannot be taken back says both what failed, and what then', async () => {
    const fake = await withFirstRelease()
    fake.fail('api-1', SECOND)
    fake.fail('worker-1', FIRST)
    await expect(rollOut(partsOf(fake), SECOND)).rejects.toThrow(
      /^api-1: Failed[\s\S]*Not everything could be taken back to 1111111: worker-1: Failed/,
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('of the current release makes all hosts read their settings anew', async () => {
    const fake = await withFirstRelease()
    await rollOut(partsOf(fake), FIRST)
    // The API first: it is its host that gives its role in the database another password.
    expect(fake.rollouts).toEqual(
      ['redis', 'api-1', 'worker-1', 'worker-2'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, undefined])
  })

  test('also reaches hosts that were started while it went on', async () => {
    const fake = await withFirstRelease(['api-1', 'redis', 'worker'])
    const smoke = async () => fake.addHost('worker-9')
    await rollOut(partsOf(fake, { smoke, isScaled: true }), SECOND)
    expect(fake.rollouts.at(-1)).toBe(`worker-9 ${SECOND}`)
  })

  test('with no host of a role says so, and touches none', async () => {
    const fake = createFakeAws('staging', ['worker-1'])
    await expect(rollOut(partsOf(fake), FIRST)).rejects.toThrow(
      'No host of waggle-staging has the role "redis": was it applied?',
    )
    expect(fake.rollouts).toEqual([])
  })

  test.each(['', 'latest', 'HEAD', '1111111;id'])('to %j is refused', async (tag) => {
    const fake = createFakeAws('staging', HOSTS)
    await expect(rollOut(partsOf(fake), tag)).rejects.toThrow('is not a commit')
    expect(fake.seen).toEqual([])
  })
})

describe('a rollback', () => {
  test('goes to the release before, and forward again', async () => {
    const fake = await withFirstRelease()
    await rollOut(partsOf(fake), SECOND)
    await rollBack(partsOf(fake))
    expect(fake.rollouts.slice(4)).toEqual(
      ['api-1', 'worker-1', 'worker-2', 'redis'].map((name) => `${name} ${FIRST}`),
    )
    expect(releaseOf(fake)).toEqual([FIRST, SECOND])
  })

  test('without a release before is refused', async () => {
    const fake = await withFirstRelease()
    await expect(rollBack(partsOf(fake))).rejects.toThrow('no release to go back to')
  })

  test('of an interrupted rollout takes only those hosts that it had reached', async () => {
    const fake = await withFirstRelease()
    fake.parameters.set(`${paths.ready}/i-worker-1`, SECOND)
    await finish(partsOf(fake))
    expect(fake.rollouts).toEqual([`worker-1 ${FIRST}`])
  })
})

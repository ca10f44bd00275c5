// What happens to accepted tasks when containers are killed or cut off: nothing.
import { afterEach, describe, expect, inject, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { until } from '../support/system.ts'
import { ask, submitSteadily, untilAnswer, untilEnded } from './support/client.ts'
import { docker } from './support/docker.ts'
import { compose, containersOf, type Stack } from './support/stack.ts'

const given = inject('stack')
const stack = given as Stack // where there is none, nothing of this runs

// Nobody was told "accepted": nginx or the API said that it could not be reached. 504: the connection to an API that has
// just gone was not refused, but came to nothing.
const REFUSALS = ['502', '503', '504']

/** As if it had crashed: what `docker kill` ends is not started again. */
async function crash(service: string): Promise<void> {
  const [id = ''] = await containersOf(stack, service)
  process.kill(Number(await docker(['inspect', '-f', '{{.State.Pid}}', id])), 'SIGKILL')
}

/** How often Docker has started it again. */
async function restartsOf(services: string[]): Promise<number[]> {
  const ids = await Promise.all(services.map((service) => containersOf(stack, service)))
  return (await docker(['inspect', '-f', '{{.RestartCount}}', ...ids.flat()])).split('\n').map(Number)
}

/** To the program itself, and not to the init that holds it. */
async function signalNode(container: string, signal: 'STOP' | 'CONT'): Promise<void> {
  const rows = await docker(['top', container, '-o', 'pid,args'])
  const [, pid] = /^\s*(\d+)\s+node /m.exec(rows) ?? []
  process.kill(Number(pid), `SIG${signal}`)
}

async function untilHealthy(): Promise<void> {
  await compose(stack, ['up', '-d', '--no-recreate', '--wait', '--wait-timeout', '120'])
}

describe.skipIf(!given)('accepted tasks survive', () => {
  afterEach(untilHealthy)

  // Where nginx itself is gone, nobody is there to say 502.
  test.each([
    [['api', 'worker', 'redis', 'postgres'], 1_000, REFUSALS],
    [['nginx'], 300, [...REFUSALS, '0']],
  ])('a crash of %j, one after the other, under %i tasks', async (services, count, refusals) => {
    const before = await restartsOf(services)
    const submitting = submitSteadily(stack, { perSecond: 50, count })
    for (const service of services) {
      await pause(3_000)
      await crash(service)
    }
    const { accepted, refused } = await submitting
    expect(await restartsOf(services)).toEqual(before.map((times) => times + 1))
    expect(new Set(accepted).size).toBe(count)
    for (const status of Object.keys(refused)) expect(refusals).toContain(status)
    const ended = await untilEnded(stack, accepted)
    expect(ended.filter(({ status }) => status !== 'SUCCESS')).toEqual([])
    expect(ended.every(({ result }) => JSON.stringify(result) === '{"text":"ba"}')).toBe(true)
  })

  test('a worker that stands still, though its process exists, is not healthy, and others run its tasks', async () => {
    const [worker = ''] = await containersOf(stack, 'worker')
    const health = () => docker(['inspect', '-f', '{{.State.Health.Status}}', worker])
    await signalNode(worker, 'STOP')
    try {
      await until(health, (status) => status === 'unhealthy')
      await compose(stack, ['up', '-d', '--no-recreate', '--scale', 'worker=2', 'worker'])
      const { accepted } = await submitSteadily(stack, { perSecond: 10, count: 10 })
      const ended = await untilEnded(stack, accepted)
      expect(ended.map(({ status }) => status)).toEqual(accepted.map(() => 'SUCCESS'))
    } finally {
      await signalNode(worker, 'CONT')
    }
    await until(health, (status) => status === 'healthy')
    await compose(stack, ['up', '-d', '--no-recreate', '--scale', 'worker=1', 'worker'])
  })

  test('a Redis that is cut off the network: submissions are accepted, and run when it is back', async () => {
    const [redis = ''] = await containersOf(stack, 'redis')
    await docker(['network', 'disconnect', stack.project, redis])
    const { accepted, refused } = await submitSteadily(stack, { perSecond: 10, count: 20 })
    expect(refused).toEqual({})
    await docker(['network', 'connect', '--alias', 'redis', stack.project, redis])
    const ended = await untilEnded(stack, accepted)
    expect(ended.map(({ status }) => status)).toEqual(accepted.map(() => 'SUCCESS'))
  })

  test('a Postgres that is cut off the network: submissions are refused, and the rest goes on when it is back', async () => {
    const [postgres = ''] = await containersOf(stack, 'postgres')
    const before = await submitSteadily(stack, { perSecond: 20, count: 20 })
    await docker(['network', 'disconnect', stack.project, postgres])
    const submit = () => ask(stack, 'POST', '/v1/tasks/reverse', { input: { text: 'ab' } })
    const refusal = await untilAnswer(submit, ({ status }) => status !== 202)
    expect(refusal).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/), 'content-type': 'application/problem+json' },
    })
    await docker(['network', 'connect', '--alias', 'postgres', stack.project, postgres])
    const after = await untilAnswer(submit, ({ status }) => status === 202)
    const ids = [...before.accepted, (after.body as { id: string }).id]
    const ended = await untilEnded(stack, ids)
    expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESS'))
  })
})

// Accepted tasks survive when containers are killed or disconnected from the network.
import { afterEach, describe, expect, inject, test } from 'vitest'
import { pause } from '../../src/base/loop.ts'
import { until } from '../support/system.ts'
import { send, submitAtRate, untilEnded, untilResponse } from './support/client.ts'
import { docker } from './support/docker.ts'
import { compose, containersOf, type Stack } from './support/stack.ts'

const provided = inject('stack')
const stack = provided as Stack // null only where every test of this file is skipped

// Statuses of submissions that were not accepted: nginx or the API responded that a server cannot be reached.
// 504 occurs when the API has just died and the connection attempt to it times out instead of being refused.
const REFUSALS = ['502', '503', '504']

/**
 * Kills the process of a container, as a crash does. After `docker kill`, Docker would not restart the
 * container.
 */
async function crash(service: string): Promise<void> {
  const [id = ''] = await containersOf(stack, service)
  process.kill(Number(await docker(['inspect', '-f', '{{.State.Pid}}', id])), 'SIGKILL')
}

/** Returns how often Docker has restarted each container of these services. */
async function restartsOf(services: string[]): Promise<number[]> {
  const ids = await Promise.all(services.map((service) => containersOf(stack, service)))
  return (await docker(['inspect', '-f', '{{.RestartCount}}', ...ids.flat()])).split('\n').map(Number)
}

/**
 * Sends a signal to the process of a container that serves requests or runs tasks, not to its supervisor or
 * init.
 */
async function signalNode(container: string, signal: 'STOP' | 'CONT' | 'KILL'): Promise<void> {
  const rows = await docker(['top', container, '-o', 'pid,args'])
  const [, pid] =
    /^\s*(\d+)\s+\S*node .*(?:api|worker)-process/m.exec(rows) ?? /^\s*(\d+)\s+node /m.exec(rows) ?? []
  process.kill(Number(pid), `SIG${signal}`)
}

async function untilHealthy(): Promise<void> {
  await compose(stack, ['up', '-d', '--no-recreate', '--wait', '--wait-timeout', '120'])
}

describe.skipIf(!provided)('accepted tasks survive', () => {
  afterEach(untilHealthy)

  // While nginx is down there is no response at all, which counts as status 0.
  test.each([
    [['api', 'worker', 'redis', 'postgres'], 1_000, REFUSALS],
    [['nginx'], 300, [...REFUSALS, '0']],
  ])('a crash of %j, one after the other, during %i submissions', async (services, count, refusals) => {
    const before = await restartsOf(services)
    const submitting = submitAtRate(stack, { perSecond: 50, count })
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

  test('a worker whose process is stopped becomes unhealthy, and another worker runs the tasks', async () => {
    const [worker = ''] = await containersOf(stack, 'worker')
    const health = () => docker(['inspect', '-f', '{{.State.Health.Status}}', worker])
    await signalNode(worker, 'STOP')
    try {
      await until(health, (status) => status === 'unhealthy')
      await compose(stack, ['up', '-d', '--no-recreate', '--scale', 'worker=2', 'worker'])
      const { accepted } = await submitAtRate(stack, { perSecond: 10, count: 10 })
      const ended = await untilEnded(stack, accepted)
      expect(ended.map(({ status }) => status)).toEqual(accepted.map(() => 'SUCCESS'))
    } finally {
      await signalNode(worker, 'CONT')
    }
    await until(health, (status) => status === 'healthy')
    await compose(stack, ['up', '-d', '--no-recreate', '--scale', 'worker=1', 'worker'])
  })

  test('a task whose worker process is killed in its container runs next in an isolated process, without a retry', async () => {
    const [worker = ''] = await containersOf(stack, 'worker')
    const { body } = await send(stack, 'POST', '/v1/tasks/divide', {
      input: { x: 10, y: 4 },
      options: { max_retries: 0 },
    })
    const { id } = body as { id: string }
    const read = async () => (await send(stack, 'GET', `/v1/tasks/${id}`)).body as Record<string, unknown>
    await until(read, ({ status }) => status === 'STARTED')
    await signalNode(worker, 'KILL')
    const task = await until(read, ({ is_final }) => is_final === true, 60)
    expect(task).toMatchObject({ status: 'SUCCESS', attempt: 2, failures: 0, is_isolated: true })
  })

  test('while Redis is disconnected from the network, submissions are accepted; they run when it is connected again', async () => {
    const [redis = ''] = await containersOf(stack, 'redis')
    await docker(['network', 'disconnect', stack.project, redis])
    const { accepted, refused } = await submitAtRate(stack, { perSecond: 10, count: 20 })
    expect(refused).toEqual({})
    await docker(['network', 'connect', '--alias', 'redis', stack.project, redis])
    const ended = await untilEnded(stack, accepted)
    expect(ended.map(({ status }) => status)).toEqual(accepted.map(() => 'SUCCESS'))
  })

  test('while Postgres is disconnected from the network, submissions are refused; earlier tasks run when it is connected again', async () => {
    const [postgres = ''] = await containersOf(stack, 'postgres')
    const before = await submitAtRate(stack, { perSecond: 20, count: 20 })
    await docker(['network', 'disconnect', stack.project, postgres])
    const submit = () => send(stack, 'POST', '/v1/tasks/reverse', { input: { text: 'ab' } })
    // The response to a statement that is under way is lost, so its outcome is unknown (504). Later ones are
    // refused (503), because no connection can be made.
    const unconfirmed = await untilResponse(submit, ({ status }) => status !== 202)
    if (unconfirmed.status !== 503)
      expect(unconfirmed).toMatchObject({
        status: 504,
        body: { type: expect.stringMatching(/outcome_unknown$/) },
      })
    const refusal = await untilResponse(submit, ({ status }) => status === 503)
    expect(refusal).toMatchObject({
      headers: { 'retry-after': expect.stringMatching(/^\d+$/), 'content-type': 'application/problem+json' },
    })
    await docker(['network', 'connect', '--alias', 'postgres', stack.project, postgres])
    const after = await untilResponse(submit, ({ status }) => status === 202)
    const ids = [...before.accepted, (after.body as { id: string }).id]
    const ended = await untilEnded(stack, ids)
    expect(ended.map(({ status }) => status)).toEqual(ids.map(() => 'SUCCESS'))
  })
})

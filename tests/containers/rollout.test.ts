// Tests docker/rollout.sh: it replaces the version without failed requests and without lost or repeated
// tasks.
import { mkdtempDisposableSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { send, submitAtRate, untilEnded, untilWorkers } from './support/client.ts'
import { docker, run } from './support/docker.ts'
import { type RunCounter, startRunCounter } from './support/run-counter.ts'
import { openSlowLine } from './support/slow-line.ts'
import { containersOf, type Stack, TAGS } from './support/stack.ts'

const provided = inject('stack')
const stack = provided as Stack // null only where every test of this file is skipped
const [first, second] = TAGS
const README = new URL('../../README.md', import.meta.url)

async function rollout(tag: string, settings: string[] = []) {
  return run('env', [...settings, 'docker/rollout.sh', tag], stack.folder)
}

/** Builds images of another version, with instructions that the test adds to the Dockerfile. */
async function buildImages(tag: string, dockerfile: string): Promise<void> {
  const app = `${stack.project}/app`
  const text = `FROM ${app}:${first}\n${dockerfile}\n`
  const build = 'printf %s "$0" | docker build -q -t "$1" -'
  expect((await run('sh', ['-c', build, text, `${app}:${tag}`])).code).toBe(0)
  await docker(['tag', `${stack.project}/web:${first}`, `${stack.project}/web:${tag}`])
}

async function imagesOf(service: string): Promise<string[]> {
  const ids = await containersOf(stack, service)
  return Promise.all(ids.map((id) => docker(['inspect', '-f', '{{.Config.Image}}', id])))
}

/**
 * Sends long polls for a task that is due in an hour, one after the other. @returns the statuses of the
 * responses
 */
async function waitRepeatedly(stopping: AbortSignal): Promise<number[]> {
  const late = { input: { text: 'ab' }, options: { delay_seconds: 3_600 } }
  const { body } = await send(stack, 'POST', '/v1/tasks/reverse', late)
  const { id } = body as { id: string }
  const statuses: number[] = []
  while (!stopping.aborted) statuses.push((await send(stack, 'GET', `/v1/tasks/${id}?wait=5`)).status)
  await send(stack, 'POST', `/v1/tasks/${id}/cancel`)
  return statuses
}

const titleOfPage = async () => /<title>(\w+)/.exec((await send(stack, 'GET', '/')).text)?.[1]

describe.skipIf(!provided)('a rollout', () => {
  let counter: RunCounter
  beforeAll(async () => {
    counter = await startRunCounter(stack)
  })
  afterAll(() => counter?.remove())

  test('at 50 requests per second fails no request, runs no task twice, and can be rolled back', async () => {
    const stopping = new AbortController()
    const { task } = counter
    const submitting = submitAtRate(stack, { perSecond: 50, task, stopping: stopping.signal })
    const forward = await rollout(second)
    expect(forward).toMatchObject({ code: 0 })
    expect(await imagesOf('api')).toEqual([`${stack.project}/app:${second}`])
    expect(await imagesOf('worker')).toEqual([`${stack.project}/app:${second}`])
    await untilWorkers(stack, (workers) =>
      workers.every(({ is_alive, version }) => !is_alive || version === '99.0.0'),
    )
    expect(await titleOfPage()).toBe('Second')

    const back = await rollout('rollback')
    expect(back).toMatchObject({ code: 0 })
    expect(await imagesOf('api')).toEqual([`${stack.project}/app:${first}`])
    expect(await titleOfPage()).toBe('Waggle')
    expect(statSync(join(stack.folder, '.env')).mode & 0o777).toBe(0o600)
    stopping.abort()
    const { accepted, refused } = await submitting
    expect(refused).toEqual({})
    expect(accepted.length).toBeGreaterThan(500)
    const ended = await untilEnded(stack, accepted)
    expect(ended.filter(({ status }) => status !== 'SUCCESS')).toEqual([])
    expect(await counter.runs()).toEqual(Object.fromEntries(accepted.map((id) => [id, 1])))
  })

  test('fails no request of clients with keep-alive connections over a slow line, and no long poll', async () => {
    const line = await openSlowLine(stack.url, 40)
    const agent = new Agent({ keepAlive: true, maxSockets: 10 })
    const stopping = new AbortController()
    const far = { ...stack, url: line.url, agent }
    const submitting = submitAtRate(far, { perSecond: 50, stopping: stopping.signal })
    const waiting = waitRepeatedly(stopping.signal)
    for (const tag of [second, first]) expect(await rollout(tag)).toMatchObject({ code: 0 })
    stopping.abort()
    const { accepted, refused } = await submitting
    const statuses = await waiting
    agent.destroy()
    line.close()
    expect(refused).toEqual({})
    expect(accepted.length).toBeGreaterThan(500)
    expect(new Set(statuses)).toEqual(new Set([200]))
  })

  test('lets a running task finish in its old worker', async () => {
    const { body } = await send(stack, 'POST', '/v1/tasks/divide', { input: { x: 10, y: 4 } })
    const { id } = body as { id: string }
    expect(await rollout(second)).toMatchObject({ code: 0 })
    const [task] = await untilEnded(stack, [id])
    expect(task).toMatchObject({ status: 'SUCCESS', attempt: 1 })
    expect(await rollout(first)).toMatchObject({ code: 0 })
  })

  test.each([
    ['does not stay up', 'ENTRYPOINT ["sh", "-c", "[ $0 = migrate ] || exit 3"]', 'does not stay up'],
    [
      'does not become healthy',
      'ENTRYPOINT ["sh", "-c", "[ $0 = migrate ] || sleep 600"]',
      'was not healthy within 10 s',
    ],
    ['cannot migrate', 'ENTRYPOINT ["sh", "-c", "exit 4"]', 'The migration failed'],
  ])(
    'to a version that %s leaves the old version running, and reports it',
    async (_, dockerfile, message) => {
      await buildImages('broken', dockerfile)
      const before = await containersOf(stack, 'api')
      const stopping = new AbortController()
      const submitting = submitAtRate(stack, { perSecond: 20, stopping: stopping.signal })
      const { code, output } = await rollout('broken', ['HEALTHY_SECONDS=10'])
      stopping.abort()
      expect(code).toBe(1)
      expect(output).toContain(message)
      expect(output.trim().split('\n').at(-1)).toContain(`${first} keeps running`)
      expect((await submitting).refused).toEqual({})
      expect(await containersOf(stack, 'api')).toEqual(before)
      expect(await imagesOf('worker')).toEqual([`${stack.project}/app:${first}`])
    },
  )

  test.each(['api', 'worker'])(
    'that is interrupted right after the new %s was started leaves the old version running',
    async (role) => {
      await buildImages('broken', 'ENTRYPOINT ["sh", "-c", "[ $0 = migrate ] || sleep 600"]')
      const before = await containersOf(stack, 'api')
      using folder = mkdtempDisposableSync(join(tmpdir(), 'waggle-docker-'))
      // A wrapper around docker that sends SIGTERM to its caller as soon as it has started the role, before
      // it returns.
      const script = `PATH=\${PATH#*:} docker "$@"\ncase "$*" in *" up "*" ${role}") kill -TERM $PPID ;; esac\n`
      writeFileSync(join(folder.path, 'docker'), `#!/bin/sh\nset -e\n${script}`, { mode: 0o755 })
      const path = `PATH=${folder.path}:${process.env.PATH}`
      const { code, output } = await rollout('broken', [path])
      expect([code, output]).toEqual([1, expect.stringContaining('The rollout was interrupted')])
      expect(await containersOf(stack, 'api')).toEqual(before)
      expect(await imagesOf('worker')).toEqual([`${stack.project}/app:${first}`])
    },
  )

  test('to a version without images changes nothing', async () => {
    const { code, output } = await rollout('nowhere')
    expect(code).toBe(1)
    expect(output).toContain(`Cannot pull the image ${stack.project}/`)
  })

  test('with an invalid .env changes nothing, and names the missing setting', async () => {
    const before = await containersOf(stack, 'api')
    const { code, output } = await rollout(second, ['COMPOSE_FILE=docker-compose.yml:docker-compose.aws.yml'])
    expect(code).not.toBe(0)
    // Compose names only one of the missing settings, and not always the same one.
    expect(output).toMatch(/AWS_REGION|ECR_REGISTRY|DATABASE_URL/)
    expect(await containersOf(stack, 'api')).toEqual(before)
  })

  test('on a host without nginx and API replaces only the workers', async () => {
    const before = await containersOf(stack, 'api')
    expect(await rollout(second, ['COMPOSE_PROFILES=worker'])).toMatchObject({ code: 0 })
    expect(await imagesOf('worker')).toEqual([`${stack.project}/app:${second}`])
    expect(await containersOf(stack, 'api')).toEqual(before)
    expect(await rollout(first, ['COMPOSE_PROFILES=worker'])).toMatchObject({ code: 0 })
  })

  test('replaces every kind of worker, also one in the compose file of the README, and reports one that is inactive', async () => {
    const example = /^services:\n {2}worker-cpu:\n(?: .*\n)+/m.exec(readFileSync(README, 'utf8'))?.[0] ?? ''
    writeFileSync(join(stack.folder, 'workers.yml'), example)
    const settings = [
      'COMPOSE_FILE=docker-compose.yml:workers.yml',
      'COMPOSE_PROFILES=edge,api,worker,worker-heavy,redis,postgres',
    ]
    const kinds = ['worker', 'worker-cpu', 'worker-heavy']
    const namesOf = async (service: string) =>
      (await docker(['ps', '-q', '-f', `name=^${stack.project}-${service}-\\d+$`]))
        .split('\n')
        .filter(Boolean)
    const up = ['docker', 'compose', 'up', '-d', '--wait', '--no-recreate', ...kinds]
    expect(await run('env', [...settings, ...up], stack.folder)).toMatchObject({ code: 0 })
    expect(await rollout(second, settings)).toMatchObject({ code: 0 })
    for (const kind of kinds) {
      const ids = await namesOf(kind)
      const images = await Promise.all(ids.map((id) => docker(['inspect', '-f', '{{.Config.Image}}', id])))
      expect(images, kind).toEqual([`${stack.project}/app:${second}`])
    }
    const { code, output } = await rollout(first)
    expect(code).toBe(0)
    expect(output).toContain(`docker rm -f ${stack.project}-worker-cpu-`)
    for (const kind of ['worker-cpu', 'worker-heavy']) await docker(['rm', '-f', ...(await namesOf(kind))])
  })

  test('fails immediately while another rollout runs', async () => {
    const [one, other] = await Promise.all([rollout(first), rollout(first)])
    expect([one.code, other.code].sort()).toEqual([0, 1])
    expect(one.output + other.output).toContain('Another rollout is under way')
  })
})

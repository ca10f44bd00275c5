// What `docker compose up` on a fresh checkout gives: the page and the API behind nginx, and nothing else within reach.
import { readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { exchange } from '../support/raw-http.ts'
import { until } from '../support/system.ts'
import { ask, untilAnswer, untilEnded, untilWorkers } from './support/client.ts'
import { docker, run } from './support/docker.ts'
import { compose, containersOf, type Stack } from './support/stack.ts'

const given = inject('stack')
const stack = given as Stack // where there is none, nothing of this runs

interface Container {
  Name: string
  Config: { User: string; Env: string[] }
  HostConfig: {
    ReadonlyRootfs: boolean
    CapDrop: string[]
    SecurityOpt: string[]
    Memory: number
    LogConfig: { Config: Record<string, string> }
    RestartPolicy: { Name: string }
  }
  NetworkSettings: { Ports: Record<string, { HostIp: string; HostPort: string }[] | null> }
}

async function inspectAll(): Promise<Container[]> {
  const ids = (await compose(stack, ['ps', '-q'])).split('\n')
  return JSON.parse(await docker(['inspect', ...ids])) as Container[]
}

describe.skipIf(!given)('the containers', () => {
  test('are known to compose without a word of warning', async () => {
    expect(await run('docker', ['compose', 'config', '-q'], stack.folder)).toEqual({ code: 0, output: '' })
  })

  test('have secrets of their own, which only their owner can read and which are made once', async () => {
    const path = join(stack.folder, '.env')
    const before = readFileSync(path, 'utf8')
    expect(before).toMatch(/^POSTGRES_PASSWORD=[0-9a-f]{48}$/m)
    expect(before).toMatch(/^REDIS_PASSWORD=[0-9a-f]{48}$/m)
    expect(before).not.toContain(stack.apiKey)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await run('docker/init-env.sh', [], stack.folder)).code).toBe(1)
    expect(readFileSync(path, 'utf8')).toBe(before)
  })

  test('may write nowhere but where they must, and have no privileges', async () => {
    const containers = await inspectAll()
    expect(containers).toHaveLength(5)
    for (const { Name, Config, HostConfig } of containers) {
      expect(HostConfig, Name).toMatchObject({
        ReadonlyRootfs: true,
        RestartPolicy: { Name: 'unless-stopped' },
      })
      expect(HostConfig.CapDrop, Name).toEqual(['ALL'])
      expect(HostConfig.SecurityOpt, Name).toContain('no-new-privileges:true')
      expect(HostConfig.Memory, Name).toBeGreaterThan(0)
      expect(HostConfig.LogConfig.Config, Name).toHaveProperty('max-size')
      expect(Config.User, Name).toMatch(/^(?!0|root).+/)
    }
  })

  test('publish one port, that of nginx', async () => {
    const published = (await inspectAll()).flatMap(({ Name, NetworkSettings }) =>
      Object.values(NetworkSettings.Ports).flatMap((ports) =>
        (ports ?? []).map(({ HostPort }) => [Name, HostPort]),
      ),
    )
    expect(published).toEqual([[expect.stringContaining('nginx'), new URL(stack.url).port]])
  })

  test('carry no secrets and no tools in their images', async () => {
    const image = `${stack.project}/app:first`
    const history = await docker(['history', '--no-trunc', '--format', '{{.CreatedBy}}', image])
    expect(history).not.toMatch(/PASSWORD|wgl_|whsec_/)
    const look =
      'ls /app; ls /app/node_modules /app/node_modules/.bin; id -u; ls -a /app | grep -c "^.env" || true'
    const found = await docker(['run', '--rm', '--network', 'none', '--entrypoint', 'sh', image, '-c', look])
    expect(found.split('\n')).not.toEqual(expect.arrayContaining(['vitest']))
    for (const name of ['vitest', 'vite', 'typescript', 'drizzle-kit', 'tests', 'web', '@electric-sql'])
      expect(found.split('\n')).not.toContain(name)
    expect(found).toContain('\n1000\n0')
  })

  test('have the certificates of RDS', async () => {
    const [api = ''] = await containersOf(stack, 'api')
    expect(
      await docker(['exec', api, 'grep', '-c', 'BEGIN CERTIFICATE', '/etc/ssl/certs/rds-ca.pem']),
    ).toMatch(/^\d{2,}$/)
  })
})

describe.skipIf(!given)('nginx', () => {
  test('serves the page, which asks nobody else, and its assets for ever', async () => {
    const page = await ask(stack, 'GET', '/')
    expect(page).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-cache', 'x-frame-options': 'DENY' },
    })
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.text).toContain('<title>Waggle')
    const assets = page.text.match(/assets\/[\w.-]+/g) ?? []
    expect(assets.length).toBeGreaterThan(1)
    for (const asset of assets) {
      const { status, headers, text } = await ask(stack, 'GET', `/${asset}`, undefined, {
        'Accept-Encoding': 'identity',
      })
      expect(status).toBe(200)
      expect(headers['cache-control']).toContain('immutable')
      expect(text).not.toMatch(/localhost|127\.0\.0\.1/)
    }
    const [asset = ''] = assets
    const small = await ask(stack, 'GET', `/${asset}`, undefined, { 'Accept-Encoding': 'gzip' })
    expect(small.headers['content-encoding']).toBe('gzip')
  })

  test.each(['GET', 'HEAD', 'POST', 'OPTIONS'])('answers %s /health', async (method) => {
    expect((await ask({ ...stack, apiKey: 'none' }, method, '/health')).status).toBe(200)
  })

  test.each([
    ['GET', '/nothing', 404, 'not_found'],
    ['GET', '/metrics', 404, 'not_found'],
    ['GET', '/health/ready', 404, 'not_found'],
    ['GET', '/health/edge', 404, 'not_found'],
    ['GET', '/.container', 404, 'not_found'],
    ['POST', '/', 405, 'method_not_allowed'],
    ['GET', '/..%2f..%2fetc/passwd', 400, 'malformed_request'],
    ['DELETE', '/v1/tasks', 405, 'method_not_allowed'],
    ['GET', '/v1/tasks/unknown', 404, 'unknown_task'],
  ])('%s %s is %i, as a problem', async (method, path, status, code) => {
    const reply = await ask(stack, method, path)
    expect(reply).toMatchObject({
      status,
      headers: { 'content-type': 'application/problem+json', 'x-content-type-options': 'nosniff' },
      body: { type: `urn:waggle:problem:${code}`, status },
    })
  })

  test('answers a probe that speaks HTTP/1.0 and names no host', async () => {
    const { status } = await exchange(stack.url, 'GET /health HTTP/1.0\r\n\r\n')
    expect(status).toBe(200)
  })

  test('refuses a body over the limit, and names it', async () => {
    const reply = await ask(
      stack,
      'POST',
      '/v1/tasks/reverse',
      JSON.stringify({ input: { text: 'a'.repeat(300_000) } }),
    )
    expect(reply).toMatchObject({ status: 413, headers: { 'content-type': 'application/problem+json' } })
    expect(reply.text).toContain('262144')
  })

  test('many bodies that never end are refused for want of room, and nobody else is', async () => {
    const [nginx = ''] = await containersOf(stack, 'nginx')
    const { hostname, port } = new URL(stack.url)
    const head = `POST /notify HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nContent-Length: 262000\r\n\r\n`
    // 175 MB in all: more than nginx may take.
    const sockets = Array.from({ length: 700 }, () => connect(Number(port), hostname))
    let refused = 0
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.on('data', (bytes) => (refused += Number(String(bytes).startsWith('HTTP/1.1 500'))))
      socket.write(head + 'a'.repeat(250_000))
    }
    try {
      await until(
        async () => refused,
        (count) => count > 100,
      )
      const { status } = await ask(stack, 'POST', '/notify/', { email: 'ada@example.com' })
      expect(status).toBe(202)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    expect(await docker(['inspect', '-f', '{{.State.OOMKilled}}', nginx])).toBe('false')
  })

  test('lets nobody in without a key', async () => {
    expect((await ask({ ...stack, apiKey: 'wrong' }, 'POST', '/notify/', { email: 'a@b.co' })).status).toBe(
      401,
    )
  })
})

describe.skipIf(!given)('tasks', () => {
  test('POST /notify/ goes to SUCCESS, as GET /task_status/{id} tells', async () => {
    const { status, body } = await ask(stack, 'POST', '/notify/', { email: 'ada@example.com' })
    expect(status).toBe(202)
    const { task_id } = body as { task_id: string }
    const done = await untilAnswer(
      () => ask(stack, 'GET', `/task_status/${task_id}`),
      ({ text }) => text.includes('"SUCCESS"'),
    )
    expect(done.body).toMatchObject({ result: { message: 'Notification sent to ada@example.com' } })
  })

  test.each([
    ['email', { recipient: 'a@b.co', subject: 'Hello', body: 'World' }, 'SUCCESS'],
    ['reverse', { text: 'Waggle' }, 'SUCCESS'],
    ['sentiment', { text: 'a good day' }, 'SUCCESS'],
    ['divide', { x: 10, y: 4 }, 'SUCCESS'],
    ['divide', { x: 1, y: 0 }, 'FAILURE'],
  ])('%s %o ends as it should', async (name, input, status) => {
    const { body } = await ask(stack, 'POST', `/v1/tasks/${name}`, { input })
    const [task] = await untilEnded(stack, [(body as { id: string }).id])
    expect(task).toMatchObject({ status })
  })

  test('events of a task arrive one by one, as they happen', async () => {
    const { body } = await ask(stack, 'POST', '/v1/tasks/divide', { input: { x: 10, y: 4 } })
    const { id } = body as { id: string }
    const response = await fetch(`${stack.url}/v1/tasks/${id}/events`, {
      headers: { Authorization: `Bearer ${stack.apiKey}` },
    })
    const chunks: { atMs: number; text: string }[] = []
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? [])
      chunks.push({ atMs: Date.now(), text: decoder.decode(chunk) })
    expect(chunks.map(({ text }) => text).join('')).toContain('"SUCCESS"')
    // Buffered, they would all come with the last one.
    expect(chunks.length).toBeGreaterThan(2)
    expect((chunks.at(-1)?.atMs ?? 0) - (chunks[0]?.atMs ?? 0)).toBeGreaterThan(1_000)
  })

  test('more workers are one command away', async () => {
    for (const count of [3, 1]) {
      await compose(stack, ['up', '-d', '--wait', '--no-recreate', '--scale', `worker=${count}`, 'worker'])
      await untilWorkers(stack, (workers) => workers.filter((worker) => worker.is_alive).length === count)
    }
  })
})

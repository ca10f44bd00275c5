// Tests the result of `docker compose up` on a fresh checkout: nginx serves the page and the API, and no
// other service is published.
import { readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { exchange } from '../support/raw-http.ts'
import { until } from '../support/system.ts'
import { send, untilEnded, untilResponse, untilWorkers } from './support/client.ts'
import { docker, run } from './support/docker.ts'
import { compose, containersOf, type Stack } from './support/stack.ts'

const provided = inject('stack')
const stack = provided as Stack // null only where every test of this file is skipped

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

describe.skipIf(!provided)('the containers', () => {
  test('have a compose file without errors and warnings', async () => {
    expect(await run('docker', ['compose', 'config', '-q'], stack.folder)).toEqual({ code: 0, output: '' })
  })

  test('have random secrets in .env, which only its owner can read and which is never overwritten', async () => {
    const path = join(stack.folder, '.env')
    const before = readFileSync(path, 'utf8')
    expect(before).toMatch(/^POSTGRES_PASSWORD=[0-9a-f]{48}$/m)
    expect(before).toMatch(/^REDIS_PASSWORD=[0-9a-f]{48}$/m)
    expect(before).not.toContain(stack.apiKey)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await run('docker/init-env.sh', [], stack.folder)).code).toBe(1)
    expect(readFileSync(path, 'utf8')).toBe(before)
  })

  test('have a read-only root, no capabilities, a memory limit, and an unprivileged user', async () => {
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

  test('publish only the port of nginx', async () => {
    const published = (await inspectAll()).flatMap(({ Name, NetworkSettings }) =>
      Object.values(NetworkSettings.Ports).flatMap((ports) =>
        (ports ?? []).map(({ HostPort }) => [Name, HostPort]),
      ),
    )
    expect(published).toEqual([[expect.stringContaining('nginx'), new URL(stack.url).port]])
  })

  test('have images without secrets and development tools', async () => {
    const image = `${stack.project}/app:first`
    const history = await docker(['history', '--no-trunc', '--format', '{{.CreatedBy}}', image])
    expect(history).not.toMatch(/PASSWORD|wgl_|whsec_/)
    const list =
      'ls /app; ls /app/node_modules /app/node_modules/.bin; id -u; ls -a /app | grep -c "^.env" || true'
    const found = await docker(['run', '--rm', '--network', 'none', '--entrypoint', 'sh', image, '-c', list])
    expect(found.split('\n')).not.toEqual(expect.arrayContaining(['vitest']))
    for (const name of ['vitest', 'vite', 'typescript', 'drizzle-kit', 'tests', 'web', '@electric-sql'])
      expect(found.split('\n')).not.toContain(name)
    expect(found).toContain('\n1000\n0')
  })

  test('have the CA certificates of RDS', async () => {
    const [api = ''] = await containersOf(stack, 'api')
    expect(
      await docker(['exec', api, 'grep', '-c', 'BEGIN CERTIFICATE', '/etc/ssl/certs/rds-ca.pem']),
    ).toMatch(/^\d{2,}$/)
  })
})

describe.skipIf(!provided)('nginx', () => {
  test('serves the page, which calls no other origin, and lets browsers cache its assets forever', async () => {
    const page = await send(stack, 'GET', '/')
    expect(page).toMatchObject({
      status: 200,
      headers: { 'cache-control': 'no-cache', 'x-frame-options': 'DENY' },
    })
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    expect(page.text).toContain('<title>Waggle')
    const assets = page.text.match(/assets\/[\w.-]+/g) ?? []
    expect(assets.length).toBeGreaterThan(1)
    for (const asset of assets) {
      const { status, headers, text } = await send(stack, 'GET', `/${asset}`, undefined, {
        'Accept-Encoding': 'identity',
      })
      expect(status).toBe(200)
      expect(headers['cache-control']).toContain('immutable')
      expect(text).not.toMatch(/localhost|127\.0\.0\.1/)
    }
    const [asset = ''] = assets
    const small = await send(stack, 'GET', `/${asset}`, undefined, { 'Accept-Encoding': 'gzip' })
    expect(small.headers['content-encoding']).toBe('gzip')
  })

  test.each(['GET', 'HEAD', 'POST', 'OPTIONS'])('responds to %s /health', async (method) => {
    expect((await send({ ...stack, apiKey: 'none' }, method, '/health')).status).toBe(200)
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
  ])('%s %s has the status %i and a problem document', async (method, path, status, code) => {
    const response = await send(stack, method, path)
    expect(response).toMatchObject({
      status,
      headers: { 'content-type': 'application/problem+json', 'x-content-type-options': 'nosniff' },
      body: { type: `urn:waggle:problem:${code}`, status },
    })
  })

  test('responds to an HTTP/1.0 request without a Host header', async () => {
    const { status } = await exchange(stack.url, 'GET /health HTTP/1.0\r\n\r\n')
    expect(status).toBe(200)
  })

  test('refuses a body over the limit, and names the limit', async () => {
    const response = await send(
      stack,
      'POST',
      '/v1/tasks/reverse',
      JSON.stringify({ input: { text: 'a'.repeat(300_000) } }),
    )
    expect(response).toMatchObject({ status: 413, headers: { 'content-type': 'application/problem+json' } })
    expect(response.text).toContain('262144')
  })

  test('when incomplete bodies fill the space for bodies, nginx refuses further ones but still accepts a complete request', async () => {
    const [nginx = ''] = await containersOf(stack, 'nginx')
    const { hostname, port } = new URL(stack.url)
    const head = `POST /notify HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\nContent-Length: 262000\r\n\r\n`
    // 175 MB in total: more than the 64 MB tmpfs for bodies.
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
      const { status } = await send(stack, 'POST', '/notify/', { email: 'ada@example.com' })
      expect(status).toBe(202)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    expect(await docker(['inspect', '-f', '{{.State.OOMKilled}}', nginx])).toBe('false')
  })

  test('refuses a submission with a wrong key', async () => {
    expect((await send({ ...stack, apiKey: 'wrong' }, 'POST', '/notify/', { email: 'a@b.co' })).status).toBe(
      401,
    )
  })
})

describe.skipIf(!provided)('tasks', () => {
  test('a task from POST /notify/ ends as SUCCESS in GET /task_status/{id}', async () => {
    const { status, body } = await send(stack, 'POST', '/notify/', { email: 'ada@example.com' })
    expect(status).toBe(202)
    const { task_id } = body as { task_id: string }
    const done = await untilResponse(
      () => send(stack, 'GET', `/task_status/${task_id}`),
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
  ])('%s %o ends with the expected status', async (name, input, status) => {
    const { body } = await send(stack, 'POST', `/v1/tasks/${name}`, { input })
    const [task] = await untilEnded(stack, [(body as { id: string }).id])
    expect(task).toMatchObject({ status })
  })

  test('events of a task arrive one by one, when they occur', async () => {
    const { body } = await send(stack, 'POST', '/v1/tasks/divide', { input: { x: 10, y: 4 } })
    const { id } = body as { id: string }
    const response = await fetch(`${stack.url}/v1/tasks/${id}/events`, {
      headers: { Authorization: `Bearer ${stack.apiKey}` },
    })
    const chunks: { atMs: number; text: string }[] = []
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? [])
      chunks.push({ atMs: Date.now(), text: decoder.decode(chunk) })
    expect(chunks.map(({ text }) => text).join('')).toContain('"SUCCESS"')
    // With buffering, all events would arrive together with the last.
    expect(chunks.length).toBeGreaterThan(2)
    expect((chunks.at(-1)?.atMs ?? 0) - (chunks[0]?.atMs ?? 0)).toBeGreaterThan(1_000)
  })

  test('one command changes the number of workers', async () => {
    for (const count of [3, 1]) {
      await compose(stack, ['up', '-d', '--wait', '--no-recreate', '--scale', `worker=${count}`, 'worker'])
      await untilWorkers(stack, (workers) => workers.filter((worker) => worker.is_alive).length === count)
    }
  })
})

// host/publish-metrics.sh: the metrics that a host publishes once a minute.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { METRICS, namesOf } from '../src/names.ts'
import { type FakeHost, HOST_SCRIPTS } from './support/fake-host.ts'
import { paths, startRunningHost } from './support/started-host.ts'

/** Settings of `openssl ca`, the only command of OpenSSL 3.0 that takes the dates of a certificate. */
const CA = `[ca]
default_ca = own
[own]
database = index
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
`

// Lines of `docker ps`.
const HEALTHY = 'running Up About a minute (healthy)\n'
const UNHEALTHY = 'running Up 5 minutes (unhealthy)\n'
const RESTARTING = 'restarting Restarting (1) 5 seconds ago\n'

describe('the metrics of a host', () => {
  const publish = (host: FakeHost) => host.run(join(HOST_SCRIPTS, 'publish-metrics.sh'))
  const publishedBy = (host: FakeHost) => {
    const metrics = JSON.parse(host.read('../fakes/metrics.json')) as {
      MetricName: string
      Value: number
      Dimensions: { Name: string; Value: string }[]
    }[]
    return Object.fromEntries(
      metrics.map(({ MetricName, Value, Dimensions }) => [
        MetricName,
        { Value, Dimensions: Dimensions.map(({ Name, Value }) => `${Name}=${Value}`).join() },
      ]),
    )
  }
  const own = 'Environment=prod,Host=app-1'

  test('include the queue, disk and memory use, and the healthy worker', async () => {
    const host = await startRunningHost('app')
    host.fake('statistics.json', '{"waiting": 7, "running": 3, "oldest_waiting_seconds": 1.5}')
    host.fake('workers/worker', HEALTHY)
    expect(await publish(host)).toEqual({ code: 0, output: '' })
    expect(host.calls().find((call) => call.startsWith('aws cloudwatch'))).toContain(
      `--namespace ${namesOf('prod').metrics} `,
    )
    expect(publishedBy(host)).toEqual({
      [METRICS.diskUsed]: { Value: expect.any(Number), Dimensions: own },
      [METRICS.memoryUsed]: { Value: expect.any(Number), Dimensions: own },
      [METRICS.workerHeartbeat]: { Value: 1, Dimensions: 'Environment=prod' },
      [METRICS.unhealthyWorkers]: { Value: 0, Dimensions: 'Environment=prod' },
      [METRICS.queueDepth]: { Value: 7, Dimensions: 'Environment=prod' },
      [METRICS.running]: { Value: 3, Dimensions: 'Environment=prod' },
      [METRICS.oldestWaiting]: { Value: 1.5, Dimensions: 'Environment=prod' },
    })
  })

  test('report a wait time of 0 seconds while no task waits', async () => {
    const host = await startRunningHost('app')
    host.fake('statistics.json', '{"waiting": 0, "running": 0, "oldest_waiting_seconds": null}')
    expect(await publish(host)).toMatchObject({ code: 0 })
    expect(publishedBy(host)).toMatchObject({
      [METRICS.oldestWaiting]: { Value: 0 },
      [METRICS.queueDepth]: { Value: 0 },
    })
  })

  test('omit the queue without a response of the API, and the worker unless it is healthy', async () => {
    const host = await startRunningHost('app')
    expect(await publish(host)).toMatchObject({ code: 1 })
    expect(Object.keys(publishedBy(host))).toEqual([
      METRICS.diskUsed,
      METRICS.memoryUsed,
      METRICS.unhealthyWorkers,
    ])
  })

  test.each([
    ['has no container', ''],
    ['restarts repeatedly', RESTARTING],
    ['is unhealthy', UNHEALTHY],
    ['runs beside one that restarts repeatedly', HEALTHY + RESTARTING],
  ])('report a worker that %s', async (_, states) => {
    const host = await startRunningHost('worker')
    host.fake('workers/worker', states)
    expect(await publish(host)).toMatchObject({ code: 0 })
    expect(publishedBy(host)).toMatchObject({ [METRICS.unhealthyWorkers]: { Value: 1 } })
    expect(METRICS.workerHeartbeat in publishedBy(host)).toBe(states.startsWith(HEALTHY))
  })

  test('do not report a worker that a rollout starts beside the old one', async () => {
    const host = await startRunningHost('worker')
    host.fake('workers/worker', `${HEALTHY}running Up 2 seconds (health: starting)\n`)
    await publish(host)
    expect(publishedBy(host)).toMatchObject({ [METRICS.unhealthyWorkers]: { Value: 0 } })
  })

  test('of a host of another kind name the kind', async () => {
    const host = await startRunningHost('worker-cpu')
    host.fake('workers/worker', HEALTHY)
    await publish(host)
    expect(publishedBy(host)).toMatchObject({
      [METRICS.workerHeartbeat]: { Value: 1, Dimensions: 'Environment=prod,Worker=worker-cpu' },
      [METRICS.unhealthyWorkers]: { Value: 0, Dimensions: 'Environment=prod' },
    })
  })

  test('of a single host with further kinds include each of them', async () => {
    const host = await startRunningHost('app')
    host.fake('workers/worker', UNHEALTHY)
    host.fake('workers/worker-cpu', HEALTHY)
    await publish(host)
    expect(publishedBy(host)).toMatchObject({
      [METRICS.workerHeartbeat]: { Value: 1, Dimensions: 'Environment=prod,Worker=worker-cpu' },
      [METRICS.unhealthyWorkers]: { Value: 1, Dimensions: 'Environment=prod' },
    })
  })

  test('of a host without a worker include none', async () => {
    const host = await startRunningHost('redis')
    expect(await publish(host)).toMatchObject({ code: 0 })
    expect(Object.keys(publishedBy(host))).toEqual([METRICS.diskUsed, METRICS.memoryUsed])
  })

  describe('with DOMAIN', () => {
    const DAY_MS = 24 * 60 * 60_000
    const startHttpsHost = async () => {
      const host = await startRunningHost('app', { [`${paths.role('app')}/DOMAIN`]: 'tasks.example.com' })
      host.fake('statistics.json', '{"waiting": 7, "running": 3, "oldest_waiting_seconds": null}')
      return host
    }
    /** Makes nginx of the host serve a self-signed certificate that was valid for 30 days from a day on. */
    function serve(host: FakeHost, startsInDays: number): void {
      const date = (days: number) =>
        new Date(Date.now() + days * DAY_MS)
          .toISOString()
          .replace(/[-:T]|\..*/g, '')
          .concat('Z')
      const folder = mkdtempSync(join(tmpdir(), 'waggle-certificate-'))
      const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
      writeFileSync(join(folder, 'ca.cnf'), CA)
      writeFileSync(join(folder, 'index'), '')
      run('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'request', '-subj', '/CN=x')
      const period = ['-startdate', date(startsInDays), '-enddate', date(startsInDays + 30)]
      const options = ['-selfsign', '-batch', '-notext', '-config', 'ca.cnf']
      run('ca', ...options, '-keyfile', 'key', '-in', 'request', '-out', 'certificate', ...period)
      host.fake('certificate.pem', readFileSync(join(folder, 'certificate'), 'utf8'))
      rmSync(folder, { recursive: true })
    }

    test.each([
      [-3, 89, 90],
      [-27, 9, 10],
      [-33, -11, -10],
    ])('a certificate from day %i of 30 has %i to %i percent of its lifetime left', async (day, min, max) => {
      const host = await startHttpsHost()
      serve(host, day)
      expect(await publish(host)).toEqual({ code: 0, output: '' })
      const { [METRICS.certificateLifetimeLeft]: metric, ...others } = publishedBy(host)
      expect(metric).toMatchObject({ Dimensions: 'Environment=prod' })
      expect(metric?.Value).toBeGreaterThanOrEqual(min)
      expect(metric?.Value).toBeLessThanOrEqual(max)
      expect(others).toMatchObject({ [METRICS.queueDepth]: { Value: 7 } })
      const request = host.calls().find((call) => call.startsWith('curl'))
      expect(request).toMatch(/^curl -fsSk .* https:\/\/127\.0\.0\.1\/v1\/stats$/)
    })

    test('the metric of the certificate is omitted while nginx has none', async () => {
      const host = await startHttpsHost()
      expect(await publish(host)).toEqual({ code: 0, output: '' })
      expect(Object.keys(publishedBy(host))).not.toContain(METRICS.certificateLifetimeLeft)
    })
  })

  test('are read with an API key that never appears in a process list', async () => {
    const host = await startRunningHost('app')
    host.fake('statistics.json', '{"waiting": 0, "running": 0, "oldest_waiting_seconds": null}')
    await publish(host)
    expect(host.calls().join()).not.toContain('wgl_metrics')
  })
})

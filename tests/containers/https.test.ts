// Tests docker-compose.https.yml against Pebble, the test server of Let's Encrypt: the first certificate, its
// renewal, failures, and rollouts.
import { createPublicKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { until } from '../support/system.ts'
import { type Client, send, submitAtRate, untilEnded } from './support/client.ts'
import { docker, run } from './support/docker.ts'
import { removeHttpsStack, startHttpsStack } from './support/https-stack.ts'
import {
  configurePebble,
  DOMAIN,
  type HttpsStack,
  NEW_DOMAIN,
  OTHER_DOMAIN,
  secureClient,
  servedSerial,
} from './support/pebble.ts'
import { compose, type Stack, TAGS } from './support/stack.ts'

const provided = inject('stack')
// Rollouts that change or break HTTPS take five minutes. `npm run test:https` includes them.
const isThorough = process.env.THOROUGH === '1'
const DAY = 24 * 60 * 60
// Lifetime of the first certificates. Its last third, 20 s, is enough for a renewal on a busy machine, and
// the tests wait for it.
const SHORT_SECONDS = 60

/** Waits up to 180 s until the condition is met. @returns the value that meets it */
const untilMet = <T>(read: () => Promise<T>, isMet: (value: T) => boolean) => until(read, isMet, 180)

if (!isThorough)
  process.stderr.write('Rollouts that change or break HTTPS are skipped; npm run test:https runs them\n')

// The tests share one stack and depend on their order: at first a certificate is valid for a minute, later
// for a day.
describe.skipIf(!provided)('HTTPS', () => {
  let stack: HttpsStack
  let client: Client & { tls: { ca: string } }
  const logOf = () => compose(stack, ['logs', '--no-log-prefix', 'certificates'])
  const issuedIn = (log: string) => log.split('The certificate was issued').length - 1
  const inVolume = (...command: string[]) => compose(stack, ['exec', '-T', 'certificates', ...command])

  const publicKey = async () => {
    const key = createPublicKey(await inVolume('cat', `/certificates/${DOMAIN}.pem`))
    return key.export({ type: 'spki', format: 'pem' })
  }

  beforeAll(async () => {
    stack = await startHttpsStack(provided as Stack, SHORT_SECONDS)
    await untilMet(
      () => servedSerial(stack),
      (serial) => serial !== undefined,
    )
    client = await secureClient(stack)
  })
  afterAll(async () => {
    if (!stack) return
    await run('docker', ['rm', '-f', `${stack.project}-default-port`])
    await removeHttpsStack(stack)
  })

  test('curl accepts the first certificate, and HTTP/2 is used', async () => {
    const { port } = new URL(stack.httpsUrl)
    const url = `https://${DOMAIN}:${port}/`
    const options = ['-sS', '-D', '-', '-o', '/dev/null', '--resolve', `${DOMAIN}:${port}:127.0.0.1`]
    writeFileSync(`${stack.folder}/root.pem`, client.tls.ca)
    for (const path of ['', 'health', 'docs']) {
      const trusted = [...options, '--cacert', `${stack.folder}/root.pem`]
      const { code, output } = await run('curl', [...trusted, url + path])
      expect([code, output]).toEqual([0, expect.stringMatching(/^HTTP\/2 200/)])
    }
    const untrusted = await run('curl', [...options, url])
    expect(untrusted.code).toBe(60)
  })

  test.each([
    ['1.1', 35],
    ['1.2', 0],
    ['1.3', 0],
  ])('with TLS %s, curl exits with %i', async (version, expected) => {
    const { port } = new URL(stack.httpsUrl)
    // SECLEVEL=0 allows the client to use TLS 1.1.
    const limits = [`--tlsv${version}`, '--tls-max', version, '--ciphers', 'DEFAULT@SECLEVEL=0']
    const { code } = await run('curl', ['-sk', ...limits, `https://127.0.0.1:${port}/`])
    expect(code).toBe(expected)
  })

  test.each([
    ['the page', '/', 200],
    ['the API', '/v1/queues', 200],
    ['an asset that does not exist', '/assets/x.js', 404],
    ['an error of nginx', '/metrics', 404],
    ['an error of the API', '/v1/tasks/unknown', 404],
    ['the health check', '/health', 200],
  ])('%s has the header Strict-Transport-Security if the port is 443', async (_, path, status) => {
    const { headers, ...response } = await send({ ...client, url: await urlOfDefaultPort() }, 'GET', path)
    expect(response.status).toBe(status)
    expect(headers['strict-transport-security']).toBe('max-age=31536000')
    // With another port, browsers would send requests for http://DOMAIN/ to port 443.
    expect((await send(client, 'GET', path)).headers).not.toHaveProperty('strict-transport-security')
  })

  /**
   * Starts another nginx, which is configured for port 443, at the first call. @returns its URL in the
   * network
   */
  async function urlOfDefaultPort(): Promise<string> {
    const name = `${stack.project}-default-port`
    if (!(await docker(['ps', '-q', '-f', `name=${name}`]))) {
      const settings = [`DOMAIN=${DOMAIN}`, 'NGINX_SERVERS=https', 'WAGGLE_HTTPS_PORT=0.0.0.0:443']
      const volumes = ['-v', `${stack.project}_certificates:/certificates:ro`, '--network', stack.project]
      const image = `${stack.project.replace(/-https$/, '')}/web:${TAGS[0]}`
      const options = settings.flatMap((setting) => ['-e', setting])
      await docker(['run', '-d', '--name', name, ...options, ...volumes, image])
      await untilMet(
        () => docker(['inspect', '-f', '{{.State.Health.Status}}', name]),
        (status) => status === 'healthy',
      )
    }
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}'
    return `https://${await docker(['inspect', '-f', format, name])}:8443`
  }

  test('HTTP is redirected to the domain and the port of HTTPS, except the health check', async () => {
    const { port } = new URL(stack.httpsUrl)
    const redirected = await send(stack, 'POST', '/v1/tasks/reverse?a=b%20c', { input: {} })
    expect(redirected).toMatchObject({
      status: 308,
      headers: { location: `https://${DOMAIN}:${port}/v1/tasks/reverse?a=b%20c` },
    })
    expect(redirected.headers).not.toHaveProperty('strict-transport-security')
    expect(await send(stack, 'GET', '/')).toMatchObject({ status: 308 })
    expect(await send(stack, 'GET', '/health')).toMatchObject({ status: 200 })
    expect(await send(stack, 'GET', '/health/ready')).toMatchObject({ status: 308 })
    for (const path of ['x', '../tasks.example.com.pem', '..%2faccount-key.pem'])
      expect((await send(stack, 'GET', `/.well-known/acme-challenge/${path}`)).text).not.toContain('KEY')
  })

  test('an HTTP request to the port of HTTPS gets an error that names the reason', async () => {
    const response = await fetch(stack.httpsUrl.replace('https:', 'http:'))
    expect(await response.json()).toMatchObject({
      status: 400,
      detail: 'This port accepts HTTPS requests only',
    })
  })

  test('the files are readable by the user of nginx only, and no challenge is left', async () => {
    const list = "find /certificates -printf '%m %U %P\\n' | sort"
    expect(await inVolume('sh', '-c', list)).toBe(
      ['600 101 account-key.pem', `600 101 ${DOMAIN}.pem`, '700 101 ', '700 101 challenges'].join('\n'),
    )
  })

  test('a renewal fails no request and closes no connection, keeps the key, and the new certificate is served', async () => {
    const before = await servedSerial(stack)
    const keyBefore = await publicKey()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const kept = { ...client, agent }
    const portOfConnection = async () => {
      expect((await send(kept, 'GET', '/v1/queues')).status).toBe(200)
      return Object.values(agent.freeSockets).flat()[0]?.localPort
    }
    const port = await portOfConnection()
    const stopping = new AbortController()
    const submitting = submitAtRate(client, { perSecond: 50, stopping: stopping.signal })
    await untilMet(
      () => servedSerial(stack),
      (serial) => serial !== before,
    )
    expect(await portOfConnection()).toBe(port)
    stopping.abort()
    agent.destroy()
    const { accepted, refused } = await submitting
    expect(refused).toEqual({})
    expect(accepted.length).toBeGreaterThan(100)
    expect(await publicKey()).toBe(keyBefore)
    expect(await servedSerial(stack)).toBeDefined()
    const ended = await untilEnded(client, accepted)
    expect(ended.filter(({ status }) => status !== 'SUCCESS')).toEqual([])
  })

  test('while the ACME server cannot be reached, the old certificate stays and the reason is logged; the next attempt succeeds', async () => {
    await compose(stack, ['stop', '-t', '0', 'pebble'])
    const log = await untilMet(logOf, (text) => text.includes('The request to the ACME server'))
    expect(log).toMatch(
      /"level":50.*The request to the ACME server https:\/\/acme.internal:14000\/dir failed: /,
    )
    const old = await servedSerial(stack)
    expect(old).toBeDefined()
    configurePebble(stack.folder, DAY)
    await compose(stack, ['start', 'pebble'])
    await untilMet(
      () => servedSerial(stack),
      (serial) => serial !== undefined && serial !== old,
    )
    client = await secureClient(stack)
    expect((await send(client, 'GET', '/v1/queues')).status).toBe(200)
  })

  test('a restart of everything orders no certificate', async () => {
    const [serial, account] = [
      await servedSerial(stack),
      await inVolume('cat', '/certificates/account-key.pem'),
    ]
    await compose(stack, ['down', '-t', '10'])
    await compose(stack, ['up', '-d', '--wait', '--no-build', '--wait-timeout', '180'])
    expect(await servedSerial(stack)).toBe(serial)
    expect(await inVolume('cat', '/certificates/account-key.pem')).toBe(account)
    expect(await logOf()).not.toContain('issued')
  })

  test('without a certificate the containers are healthy and HTTP responds with a reason; the next one has another key', async () => {
    const keyBefore = await publicKey()
    await compose(stack, ['stop', '-t', '0', 'pebble'])
    await inVolume('rm', `/certificates/${DOMAIN}.pem`)
    await compose(stack, ['stop', 'certificates'])
    await compose(stack, ['up', '-d', '--wait', '--no-build', '--no-deps', 'certificates'])
    expect(await send(stack, 'GET', '/')).toMatchObject({
      status: 503,
      headers: { 'content-type': 'application/problem+json' },
      body: {
        status: 503,
        detail: `The certificate for ${DOMAIN} has not been issued yet. The log of the container certificates contains the reason`,
      },
    })
    expect(await send(stack, 'GET', '/health')).toMatchObject({ status: 200 })
    expect(await servedSerial(stack)).toBeUndefined()
    await compose(stack, ['start', 'pebble'])
    // A restart tries again at once.
    await compose(stack, ['restart', 'certificates'])
    await untilMet(
      () => servedSerial(stack),
      (serial) => serial !== undefined,
    )
    expect(await publicKey()).not.toBe(keyBefore)
    client = await secureClient(stack)
    expect((await send(client, 'GET', '/v1/queues')).status).toBe(200)
  })

  test('a domain that leads to another host is refused with a reason, and the certificate of the old domain stays', async () => {
    const serial = await servedSerial(stack)
    const options = ['run', '-d', '--no-deps', '-e', `DOMAIN=${OTHER_DOMAIN}`, 'certificates']
    const id = (await compose(stack, options)).split('\n').at(-1) ?? ''
    try {
      const log = await untilMet(
        () => docker(['logs', id]),
        (text) => text.includes('"level":50'),
      )
      expect(log).toMatch(
        /The ACME server \S+ refused the certificate for elsewhere.example.com: .*(connection refused|Connection refused)/,
      )
      expect(log).toMatch(/"nextAttempt":"20/)
    } finally {
      await docker(['stop', '-t', '5', id])
    }
    // SIGTERM ends the process gracefully, also during a pause.
    expect(await docker(['inspect', '-f', '{{.State.ExitCode}}', id])).toBe('0')
    await docker(['rm', '-f', id])
    expect(await inVolume('ls', '/certificates', '/certificates/challenges')).not.toContain(OTHER_DOMAIN)
    expect(await servedSerial(stack)).toBe(serial)
  })

  test('a certificate for an IPv4 address is issued', async () => {
    // A public range, because private addresses are refused. It exists inside this network only.
    const [network, address] = [`${stack.project}-public`, '11.22.33.44']
    const containers = await Promise.all(
      ['nginx', 'pebble'].map((service) => compose(stack, ['ps', '-q', service])),
    )
    const [nginx = '', pebble = ''] = containers
    await docker(['network', 'create', '--subnet', '11.22.33.0/24', network])
    let id = ''
    try {
      await docker(['network', 'connect', '--ip', address, network, nginx])
      await docker(['network', 'connect', network, pebble])
      const options = ['run', '-d', '--no-deps', '-e', `DOMAIN=${address}`, 'certificates']
      id = (await compose(stack, options)).split('\n').at(-1) ?? ''
      const log = await untilMet(
        () => docker(['logs', id]),
        (text) => /"level":\d+/.test(text),
      )
      expect(log).toContain('The certificate was issued')
      const file = await inVolume('cat', `/certificates/${address}.pem`)
      expect(new X509Certificate(file).subjectAltName).toBe(`IP Address:${address}`)
    } finally {
      if (id) await docker(['rm', '-f', id])
      for (const container of containers) await docker(['network', 'disconnect', '-f', network, container])
      await docker(['network', 'rm', network])
    }
  })

  test('a rollout over HTTPS fails no request, and replaces the container of the certificates', async () => {
    const serial = await servedSerial(stack)
    const stopping = new AbortController()
    const submitting = submitAtRate(client, { perSecond: 50, stopping: stopping.signal })
    for (const tag of [TAGS[1], 'rollback']) {
      expect(await run('docker/rollout.sh', [tag], stack.folder)).toMatchObject({ code: 0 })
      const id = await compose(stack, ['ps', '-q', 'certificates'])
      expect(await docker(['inspect', '-f', '{{.Config.Image}}', id])).toContain(
        tag === 'rollback' ? `:${TAGS[0]}` : `:${TAGS[1]}`,
      )
    }
    stopping.abort()
    const { accepted, refused } = await submitting
    expect(refused).toEqual({})
    expect(accepted.length).toBeGreaterThan(500)
    expect(await servedSerial(stack)).toBe(serial)
    expect(issuedIn(await logOf())).toBe(0)
  })

  test.skipIf(!isThorough)(
    'a rollout after a change of DOMAIN serves the new domain; changing it back orders no certificate',
    async () => {
      const serial = await servedSerial(stack)
      const env = `${stack.folder}/.env`
      const rollOutDomain = async (from: string, to: string) => {
        writeFileSync(env, readFileSync(env, 'utf8').replace(`DOMAIN=${from}`, `DOMAIN=${to}`))
        expect(await run('docker/rollout.sh', [TAGS[0]], stack.folder)).toMatchObject({
          code: 0,
          output: expect.stringContaining(`Replacing nginx for the domain "${to}"`),
        })
      }
      await rollOutDomain(DOMAIN, NEW_DOMAIN)
      await untilMet(
        () => send(stack, 'GET', '/'),
        ({ status }) => status === 308,
      )
      const ofNewDomain = { ...client, tls: { ...client.tls, servername: NEW_DOMAIN } }
      expect((await send(ofNewDomain, 'GET', '/v1/queues')).status).toBe(200)
      const { headers } = await send(stack, 'GET', '/')
      expect(headers.location).toContain(`https://${NEW_DOMAIN}:`)

      await rollOutDomain(NEW_DOMAIN, DOMAIN)
      expect(await servedSerial(stack)).toBe(serial)
      expect(issuedIn(await logOf())).toBe(0)
    },
  )

  describe.skipIf(!isThorough)('a rollout that cannot apply everything', () => {
    const imageOf = async (service: string) =>
      docker(['inspect', '-f', '{{.Config.Image}}', await compose(stack, ['ps', '-q', service])])
    const rollOut = (tag: string = TAGS[0]) =>
      run('env', ['CERTIFICATE_SECONDS=10', 'docker/rollout.sh', tag], stack.folder)

    /** Replaces a setting in .env. @returns a function that restores the file */
    function change(name: string, replace: (value: string) => string): () => void {
      const env = `${stack.folder}/.env`
      const text = readFileSync(env, 'utf8')
      const changed = text.replace(new RegExp(`^${name}=(.*)$`, 'm'), (_, old) => `${name}=${replace(old)}`)
      writeFileSync(env, changed)
      return () => writeFileSync(env, text)
    }

    /** Listens at a port of this machine. @returns the port, and a function that releases it */
    async function occupyPort() {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return { port: (server.address() as AddressInfo).port, release: () => server.close() }
    }

    test('keeps the container of the certificates if the image does not know the command', async () => {
      const images = stack.project.replace(/-https$/, '')
      const command = '[ $0 = certificates ] && exit 2; exec /app/node_modules/waggle-tasks/bin/waggle.js $0'
      const dockerfile = `FROM ${images}/app:${TAGS[0]}\nENTRYPOINT ["sh", "-c", "${command}"]\n`
      const build = 'printf %s "$0" | docker build -q -t "$1" -'
      expect((await run('sh', ['-c', build, dockerfile, `${images}/app:older`])).code).toBe(0)
      await docker(['tag', `${images}/web:${TAGS[0]}`, `${images}/web:older`])
      const { code, output } = await rollOut('older')
      expect([code, output]).toEqual([0, expect.stringContaining(`still runs ${TAGS[0]}`)])
      expect(await imageOf('certificates')).toBe(`${images}/app:${TAGS[0]}`)
      expect(await imageOf('api')).toBe(`${images}/app:older`)
      expect(await rollOut()).toMatchObject({ code: 0 })
    })

    test('serves the old domain while there is no certificate for the new one', async () => {
      const serial = await servedSerial(stack)
      const restore = change('DOMAIN', () => OTHER_DOMAIN)
      const { code, output } = await rollOut()
      restore()
      expect(code).toBe(3)
      expect(output.trim().split('\n').at(-1)).toMatch(
        /^first is running, but nginx still serves tasks.example.com, .* elsewhere.example.com .*refused/,
      )
      expect(await servedSerial(stack)).toBe(serial)
      expect(await rollOut()).toMatchObject({ code: 0 })
    })

    test('keeps the running nginx while the new port of HTTPS is occupied', async () => {
      const serial = await servedSerial(stack)
      const { port, release } = await occupyPort()
      const restorePort = change('WAGGLE_HTTPS_PORT', () => `127.0.0.1:${port}`)
      const restoreDomain = change('DOMAIN', () => NEW_DOMAIN)
      const { code, output } = await rollOut()
      release()
      restoreDomain()
      restorePort()
      expect([code, output]).toEqual([3, expect.stringMatching(/nginx was not replaced.*already in use/s)])
      expect(await servedSerial(stack)).toBe(serial)
    })

    test('reports that nginx does not run; the next rollout starts it', async () => {
      await compose(stack, ['rm', '-sf', 'nginx'])
      const { port, release } = await occupyPort()
      const restore = change('WAGGLE_HTTPS_PORT', () => `127.0.0.1:${port}`)
      const { code, output } = await rollOut()
      release()
      restore()
      expect([code, output]).toEqual([3, expect.stringMatching(/but nginx does not run: .*already in use/s)])
      expect(await rollOut()).toMatchObject({ code: 0 })
      expect(await servedSerial(stack)).toBeDefined()
    })

    test('without DOMAIN serves HTTP and names the container of the certificates; with a wrong one reports 503', async () => {
      const restore = change('COMPOSE_FILE', (files) => files.replace(':docker-compose.https.yml', ''))
      const { code, output } = await rollOut()
      expect([code, output]).toEqual([0, expect.stringMatching(/docker rm -f \S+-certificates-1/)])
      expect(await send(stack, 'GET', '/')).toMatchObject({ status: 200 })
      restore()
      const restoreDomain = change('DOMAIN', () => OTHER_DOMAIN)
      const failed = await rollOut()
      restoreDomain()
      expect(failed).toMatchObject({
        code: 3,
        output: expect.stringMatching(/no certificate for elsewhere.example.com .* with 503\. .*refused/),
      })
      expect(await send(stack, 'GET', '/')).toMatchObject({ status: 503 })
      expect(await rollOut()).toMatchObject({ code: 0 })
      expect(await servedSerial(stack)).toBeDefined()
    })
  })
})

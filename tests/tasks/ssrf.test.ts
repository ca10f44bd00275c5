// Addresses that an HTTP request may connect to. The address of every connection is checked, also after
// redirects.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAddressGuard } from '../../src/tasks/http/address-guard.ts'
import { createHttpClient } from '../../src/tasks/http/http-client.ts'
import type { HttpRequest } from '../../src/tasks/http/redirect.ts'
import { startTestServer, type TestServer } from '../support/http-server.ts'

describe('an address', () => {
  const guard = createAddressGuard()

  test.each([
    ['loopback', '127.0.0.1'],
    ['last address of loopback', '127.255.255.254'],
    ['loopback', '::1'],
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['unspecified', '::'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['last address of a private range', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['metadata service of Alibaba', '100.100.100.200'],
    ['metadata service', '169.254.169.254'],
    ['metadata of containers', '169.254.170.2'],
    ['metadata service', 'fd00:ec2::254'],
    ['host of Azure', '168.63.129.16'],
    ['protocol assignments', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['documentation', '2001:db8::1'],
    ['benchmarking', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['multicast', 'ff02::1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['link-local', 'fe80::1'],
    ['link-local with its interface', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fdff:ffff::1'],
    ['discard', '100::1'],
    ['segment routing', '5f00::1'],
    ['unallocated', '4000::1'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped metadata', '::ffff:a9fe:a9fe'],
    ['IPv4-compatible loopback', '::127.0.0.1'],
    ['IPv4-translated', '::ffff:0:7f00:1'],
    ['NAT64 of loopback', '64:ff9b::127.0.0.1'],
    ['NAT64 of metadata', '64:ff9b::a9fe:a9fe'],
    ['local NAT64', '64:ff9b:1::7f00:1'],
    ['6to4 of loopback', '2002:7f00:1::'],
    ['6to4 of a private network', '2002:a00:1::1'],
    ['Teredo', '2001:0:7f00:1::1'],
    ['no address', 'localhost'],
    ['nothing', ''],
  ])('is rejected: %s %s', (_kind, address) => {
    expect(guard.isAllowed('hooks.example.com', address)).toBe(false)
  })

  test.each([
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '169.253.1.1',
    '192.169.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::200e',
    '::ffff:1.1.1.1',
    '64:ff9b::1.1.1.1',
  ])('of the public internet is allowed: %s', (address) => {
    expect(guard.isAllowed('hooks.example.com', address)).toBe(true)
  })

  test('is allowed if HTTP_REQUEST_ALLOW lists its range, the address or its host', () => {
    const open = createAddressGuard(['10.0.0.0/8', '192.168.1.7', 'fd00::/8', 'Hooks.Internal'])
    expect(open.isAllowed('a', '10.9.8.7')).toBe(true)
    expect(open.isAllowed('a', '::ffff:10.9.8.7')).toBe(true)
    expect(open.isAllowed('a', '192.168.1.7')).toBe(true)
    expect(open.isAllowed('a', 'fd12::1')).toBe(true)
    expect(open.isAllowed('hooks.internal.', '172.16.0.1')).toBe(true)

    expect(open.isAllowed('a', '11.0.0.0')).toBe(true)
    expect(open.isAllowed('a', '192.168.1.8')).toBe(false)
    expect(open.isAllowed('a', 'fc00::1')).toBe(false)
    expect(open.isAllowed('other.internal', '172.16.0.1')).toBe(false)
    expect(open.isAllowed('hooks.internal.example.com', '172.16.0.1')).toBe(false)
  })
})

describe('a request', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startTestServer(({ path }, response) => {
      const to = decodeURIComponent(/^\/to\/(.*)/.exec(path)?.[1] ?? '')
      response.writeHead(to ? 302 : 200, to ? { Location: to } : {}).end('reached')
    })
  })
  afterAll(() => server.stop())

  // All URL spellings of loopback and unspecified addresses.
  test.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '017700000001',
    '0177.0.0.1',
    '%31%32%37.0.0.1',
    '１２７.0.0.1',
    '0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:7f00:0001]',
    '[64:ff9b::7f00:1]',
    '[::127.0.0.1]',
  ])('to the address %s is rejected', async (host) => {
    await expect(send(createHttpClient(), `http://${host}:${server.port}/literal`)).rejects.toMatchObject({
      name: 'PermanentError',
      message: expect.stringMatching(/is not on the public internet; HTTP_REQUEST_ALLOW/),
    })
    expect(server.receivedAt('/literal')).toEqual([])
  })

  test('to a name that resolves to an internal address is rejected, and the error does not contain the address', async () => {
    const client = createHttpClient({ resolve: resolvingTo('10.11.12.13') })
    const error: Error = await send(client, 'http://hooks.example.com/').catch((refusal) => refusal)
    expect(error).toMatchObject({ name: 'PermanentError' })
    expect(error.message).toContain('"hooks.example.com"')
    expect(error.message).toContain('HTTP_REQUEST_ALLOW')
    expect(error.message).not.toContain('10.11.12.13')
  })

  test('to a name is rejected when one of its addresses is internal', async () => {
    const client = createHttpClient({ resolve: resolvingTo('1.1.1.1', '127.0.0.1') })
    await expect(send(client, `http://hooks.example.com:${server.port}/`)).rejects.toThrow(/public internet/)
  })

  test('to localhost is rejected', async () => {
    await expect(send(createHttpClient(), `http://localhost:${server.port}/`)).rejects.toThrow(
      /"localhost" is not on the public internet/,
    )
  })

  test('connects to the address that was checked and resolves the name only once', async () => {
    const resolutions = [['127.0.0.1'], ['10.0.0.1']]
    const resolved: string[] = []
    const resolve = async (host: string) => {
      resolved.push(host)
      return familiesOf(...(resolutions.shift() ?? []))
    }
    // The first address is in the allowed range, the second is not.
    const client = createHttpClient({ allow: ['127.0.0.0/8'], resolve })
    const response = await send(client, `http://rebinding.example.com:${server.port}/`)
    expect(response).toMatchObject({ status: 200, body: 'reached' })
    expect(resolved).toEqual(['rebinding.example.com'])
  })

  test('to a name that now resolves to an internal address is rejected at the next connection', async () => {
    const resolutions = [['127.0.0.1'], ['10.0.0.1']]
    const resolve = async () => familiesOf(...(resolutions.shift() ?? []))
    const client = createHttpClient({ allow: ['127.0.0.0/8'], resolve })
    await send(client, `http://rebinding.example.com:${server.port}/`)
    const other = await startTestServer((_request, response) => response.end('reached'))
    await expect(send(client, `http://rebinding.example.com:${other.port}/`)).rejects.toThrow(
      /public internet/,
    )
    expect(other.received).toEqual([])
    await other.stop()
  })

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/latest/meta-data/',
    'http://2852039166/',
    'https://10.0.0.1/',
    'http://metadata.example.com/',
  ])('that is redirected to %s is rejected', async (target) => {
    // Only the first host is allowed. The names resolve to the address of the metadata service.
    const client = createHttpClient({ allow: ['127.0.0.1'], resolve: resolvingTo('169.254.169.254') })
    await expect(send(client, `${server.url}/to/${encodeURIComponent(target)}`)).rejects.toMatchObject({
      name: 'PermanentError',
      message: expect.stringContaining('is not on the public internet'),
    })
  })

  test('is rejected also at its third hop', async () => {
    const client = createHttpClient({ allow: ['127.0.0.1'] })
    const hops = ['http://192.168.0.1/', '/to/', '/to/'].reduce(
      (target, hop) => hop + encodeURIComponent(target),
    )
    await expect(send(client, `${server.url}${hops}`)).rejects.toThrow(/"192.168.0.1" is not on the public/)
  })

  test.each(['ftp://example.com/', 'file:///etc/passwd', 'http://user:password@example.com/', 'http://'])(
    'that is redirected to %s is not followed',
    async (target) => {
      const client = createHttpClient({ allow: ['127.0.0.1'] })
      await expect(send(client, `${server.url}/to/${encodeURIComponent(target)}`)).rejects.toMatchObject({
        name: 'PermanentError',
        message: expect.stringContaining('a Location that is not followed'),
      })
    },
  )
})

function send(client: ReturnType<typeof createHttpClient>, url: string) {
  const request: HttpRequest = {
    taskName: 'test',
    method: 'GET',
    url: new URL(url),
    callerHeaders: {},
    ownHeaders: {},
  }
  return client.send(request, {
    isExpected: (status) => status === 200,
    signal: AbortSignal.timeout(10_000),
  })
}

function resolvingTo(...addresses: string[]) {
  return async () => familiesOf(...addresses)
}

function familiesOf(...addresses: string[]) {
  return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}

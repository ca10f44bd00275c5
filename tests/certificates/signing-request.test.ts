// Certificate signing requests, as OpenSSL reads them.
import { spawnSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { expect, test } from 'vitest'
import { generateKey } from '../../src/certificates/certificate-file.ts'
import { createSigningRequest } from '../../src/certificates/signing-request.ts'

/** Returns standard output and standard error, to which OpenSSL writes the result of a verification. */
function openssl(input: Buffer, ...options: string[]): string {
  const { stdout, stderr } = spawnSync('openssl', ['req', '-inform', 'DER', '-noout', ...options], {
    input,
    encoding: 'utf8',
  })
  return stdout + stderr
}

test.each([
  ['tasks.example.com', 'DNS:tasks.example.com'],
  [`${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.example.com`, 'DNS:aaa'],
  ['93.184.215.14', 'IP Address:93.184.215.14'],
])('a request for %s has an empty subject, this name only, and a valid signature', (domain, name) => {
  const key = generateKey()
  const request = createSigningRequest(domain, key)
  const text = openssl(request, '-text', '-verify')
  expect(text).toContain(name)
  expect(text).toMatch(/Subject: *\n/)
  expect(text).toContain('verify OK')
  expect(openssl(request, '-pubkey')).toBe(
    String(createPublicKey(key).export({ type: 'spki', format: 'pem' })),
  )
})

test('a request with a changed signature is not valid', () => {
  const request = createSigningRequest('tasks.example.com', generateKey())
  // The last byte is part of the signature.
  request.writeUInt8(request.readUInt8(request.length - 1) ^ 1, request.length - 1)
  expect(openssl(request, '-verify')).toContain('verify failure')
})

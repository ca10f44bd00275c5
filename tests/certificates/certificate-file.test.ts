// The files of the volume `certificates`.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCertificateFolder, generateKey } from '../../src/certificates/certificate-file.ts'

const SERVER = 'https://acme.example/directory'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-certificates-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const modeOf = (path: string) => statSync(join(folder, path)).mode & 0o777

/** Returns a self-signed certificate in PEM. */
function selfSign(key: ReturnType<typeof generateKey>): string {
  const file = join(folder, 'key')
  writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }))
  const options = ['-x509', '-key', file, '-days', '30', '-subj', '/CN=tasks.example.com']
  const chain = execFileSync('openssl', ['req', ...options], { encoding: 'utf8' })
  rmSync(file)
  return chain
}

test('a certificate is stored with its key and the URL of its server, readable by its owner only', async () => {
  const files = createCertificateFolder(folder)
  expect(await files.read('tasks.example.com')).toBeUndefined()
  const key = generateKey()
  const written = await files.write('tasks.example.com', { key, chain: selfSign(key), directoryUrl: SERVER })
  expect(written.validTo.getTime() - written.validFrom.getTime()).toBe(30 * 24 * 60 * 60_000)
  const read = await files.read('tasks.example.com')
  expect(read).toMatchObject({ serial: written.serial, directoryUrl: SERVER, validTo: written.validTo })
  expect(read?.key.equals(key)).toBe(true)
  expect(await files.read('other.example.com')).toBeUndefined()
  expect(modeOf('tasks.example.com.pem')).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['tasks.example.com.pem'])
})

test('a certificate of another key is rejected, and the old one stays', async () => {
  const files = createCertificateFolder(folder)
  const key = generateKey()
  const old = await files.write('example.com', { key, chain: selfSign(key), directoryUrl: SERVER })
  const wrong = { key: generateKey(), chain: selfSign(key), directoryUrl: SERVER }
  await expect(files.write('example.com', wrong)).rejects.toThrow('does not belong to its private key')
  expect(await files.read('example.com')).toMatchObject({ serial: old.serial })
})

test('a file without a certificate is an error that names the file', async () => {
  writeFileSync(join(folder, 'example.com.pem'), 'x')
  await expect(createCertificateFolder(folder).read('example.com')).rejects.toThrow(
    /example\.com\.pem is not valid \(.+\): delete this file/,
  )
})

test('the key of the account is created once', async () => {
  const key = await createCertificateFolder(folder).accountKey()
  const again = await createCertificateFolder(folder).accountKey()
  expect(again.equals(key)).toBe(true)
  expect(modeOf('account-key.pem')).toBe(0o600)
})

test('a damaged key of the account is an error that names the file', async () => {
  writeFileSync(join(folder, 'account-key.pem'), 'x')
  await expect(createCertificateFolder(folder).accountKey()).rejects.toThrow(
    /account-key\.pem is not valid \(.+\): delete this file/,
  )
})

test('a probe finds that the new file could not be written, and leaves nothing behind', async () => {
  const files = createCertificateFolder(folder)
  await files.probe('example.com')
  expect(readdirSync(folder)).toEqual([])
  mkdirSync(join(folder, 'example.com.pem.new'))
  await expect(files.probe('example.com')).rejects.toThrow('EISDIR')
})

test('a challenge is a file until it is removed, and its token cannot leave the folder', async () => {
  const files = createCertificateFolder(folder)
  await files.publishChallenge('a_B-1', 'response')
  expect(readFileSync(join(folder, 'challenges/a_B-1'), 'utf8')).toBe('response')
  expect([modeOf('challenges'), modeOf('challenges/a_B-1')]).toEqual([0o700, 0o600])
  await files.removeChallenge('a_B-1')
  expect(readdirSync(join(folder, 'challenges'))).toEqual([])
  await expect(files.publishChallenge('../x', 'response')).rejects.toThrow('is not base64url')
})

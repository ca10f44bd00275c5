// The settings of the command `certificates`: valid values, and errors that name the setting.
import { describe, expect, test } from 'vitest'
import { readCertificateSettings } from '../../src/certificates/certificate-settings.ts'

describe('DOMAIN', () => {
  test.each([
    'tasks.example.com',
    'example.com',
    'xn--bcher-kva.example',
    'a-1.b.co',
    '1.1.1.1',
    '93.184.215.14',
  ])('may be %s', (domain) => {
    expect(readCertificateSettings({ DOMAIN: domain })).toEqual({
      domain,
      directoryUrl: 'https://acme-v02.api.letsencrypt.org/directory',
      email: undefined,
      healthPort: undefined,
    })
  })

  test.each([
    ['https://tasks.example.com', 'without a scheme, port, path or wildcard'],
    ['tasks.example.com:443', 'without a scheme, port, path or wildcard'],
    ['tasks.example.com/', 'without a scheme, port, path or wildcard'],
    ['*.example.com', 'without a scheme, port, path or wildcard'],
    ['Tasks.example.com', 'must be a domain name in lower case'],
    ['tasks.example.com.', 'must be a domain name in lower case'],
    ['localhost', 'must be a domain name in lower case'],
    ['-a.example.com', 'must be a domain name in lower case'],
    ['tasks.example.com;x', 'must be a domain name in lower case'],
    ['256.1.1.1', 'must be a domain name in lower case or an IPv4 address'],
    ['2606:4700::1111', 'must be a domain name in lower case or an IPv4 address'],
    ['10.0.0.1', 'must not be a private or reserved address'],
    ['192.168.1.20', 'must not be a private or reserved address'],
    ['172.17.0.1', 'must not be a private or reserved address'],
    ['127.0.0.1', 'must not be a private or reserved address'],
    ['169.254.169.254', 'must not be a private or reserved address'],
    ['100.64.0.1', 'must not be a private or reserved address'],
    ['0.0.0.0', 'must not be a private or reserved address'],
  ])('must not be %s', (domain, message) => {
    expect(() => readCertificateSettings({ DOMAIN: domain })).toThrow('  DOMAIN: must')
    expect(() => readCertificateSettings({ DOMAIN: domain })).toThrow(message)
  })
})

test('one message names all missing and invalid settings', () => {
  expect(() =>
    readCertificateSettings({ DOMAIN: '', ACME_DIRECTORY_URL: 'http://acme.example', ACME_EMAIL: 'nobody' }),
  ).toThrow(`The configuration is not valid:
  DOMAIN: is required for this command
  ACME_DIRECTORY_URL: must be a URL that begins with https://
  ACME_EMAIL: must be an e-mail address`)
})

test('empty settings count as unset', () => {
  const empty = { ACME_DIRECTORY_URL: '', ACME_EMAIL: '', HEALTH_PORT: '' }
  expect(readCertificateSettings({ DOMAIN: 'example.com', ...empty })).toEqual(
    readCertificateSettings({ DOMAIN: 'example.com' }),
  )
})

// The settings of the command `certificates`. They are not part of src/config.ts, because DOMAIN is a common
// name of an environment variable: the other commands must not reject its value.
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { ConfigError, type Environment } from '../config.ts'

// Lower case, at least two labels of 1 to 63 characters, and a last label that is not a number. A wildcard
// would need the challenge DNS-01.
const DOMAIN_NAME =
  /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+(?!\d+$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/

const domain = z
  .string('is required for this command')
  .refine((text) => isIPv4(text) || DOMAIN_NAME.test(text), {
    abort: true,
    error:
      'must be a domain name in lower case or an IPv4 address, without a scheme, port, path or wildcard, e.g. tasks.example.com',
  })
  .refine((text) => !isIPv4(text) || ipaddr.parse(text).range() === 'unicast', {
    error: 'must not be a private or reserved address, because no ACME server issues a certificate for it',
  })

const SETTINGS = z.object({
  DOMAIN: domain,
  ACME_DIRECTORY_URL: z
    .url({ protocol: /^https$/, error: 'must be a URL that begins with https://' })
    .default('https://acme-v02.api.letsencrypt.org/directory'),
  ACME_EMAIL: z.email('must be an e-mail address').optional(),
  HEALTH_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
})

export interface CertificateSettings {
  /** A domain name or a public IPv4 address. */
  domain: string
  /** URL of the directory of the ACME server (RFC 8555, 7.1.1). */
  directoryUrl: string
  /** Contact of the account at the ACME server. */
  email: string | undefined
  healthPort: number | undefined
}

/**
 * Parses the environment variables. Empty ones count as unset.
 * @throws ConfigError listing every missing and invalid setting
 */
export function readCertificateSettings(environment: Environment): CertificateSettings {
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const { success, data, error } = SETTINGS.safeParse(given)
  if (!success)
    throw new ConfigError(error.issues.map(({ path, message }) => `${path[0]?.toString()}: ${message}`))
  return {
    domain: data.DOMAIN,
    directoryUrl: data.ACME_DIRECTORY_URL,
    email: data.ACME_EMAIL,
    healthPort: data.HEALTH_PORT,
  }
}

/** Whether a text is an IPv4 address in its usual form of four decimal numbers. */
export const isIPv4 = (text: string): boolean => ipaddr.IPv4.isValidFourPartDecimal(text)

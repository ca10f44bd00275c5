// The environment, read once and checked whole. Nobody else reads process.env.
import ipaddr from 'ipaddr.js'
import { z } from 'zod'

const count = (least: number, most: number) =>
  z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(least).max(most))

const url = (...schemes: string[]) =>
  z.string().refine((text) => schemes.some((scheme) => text.startsWith(scheme)) && URL.canParse(text), {
    error: `must be a URL that begins with ${schemes.join(' or ')}`,
  })

/** Name of a queue: part of keys in Redis and of URLs. */
export const QUEUE_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/

const list = z.string().transform((text) => text.split(',').map((entry) => entry.trim()))

const queueNames = list.pipe(
  z.array(
    z
      .string()
      .regex(
        QUEUE_NAME,
        'must be a list of queue names (lower case letters, digits, - and _) with commas between',
      ),
  ),
)

// A name whose last label is a number would be taken for an address.
const HOST_NAME = /^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/i

const hostsOrRanges = list.pipe(
  z.array(
    z
      .string()
      .max(253)
      .refine(
        (entry) =>
          ipaddr.isValidCIDR(entry) ||
          ipaddr.IPv4.isValidFourPartDecimal(entry) ||
          ipaddr.IPv6.isValid(entry) ||
          HOST_NAME.test(entry),
        'must be a list of host names, addresses and ranges (10.0.0.0/8) with commas between',
      ),
  ),
)

const WEBHOOK_SECRET = /^whsec_([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const webhookSecrets = list.pipe(
  z.array(
    z.string().refine((text) => {
      const { length } = Buffer.from(text.replace('whsec_', ''), 'base64')
      // Standard Webhooks 1.0, "Signature scheme".
      return WEBHOOK_SECRET.test(text) && length >= 24 && length <= 64
    }, 'must be whsec_ and 24 to 64 random bytes in base64; several with commas between'),
  ),
)

/** Every setting, with its default. The README's table says the same in words. */
const SETTINGS = z.object({
  DATABASE_URL: url('postgres://', 'postgresql://', 'pglite:').optional(),
  REDIS_URL: url('redis://', 'rediss://').optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: count(0, 65_535).default(8000),
  HEALTH_PORT: count(0, 65_535).optional(),
  BODY_LIMIT_BYTES: count(1_024, 64 * 1024 * 1024).default(256 * 1024),
  DATABASE_POOL_SIZE: count(2, 200).default(10),
  SMTP_URL: url('smtp://', 'smtps://').optional(),
  MAIL_FROM: z.string().min(3).default('Waggle <waggle@localhost>'),
  HTTP_REQUEST_ALLOW: hostsOrRanges.default([]),
  WEBHOOK_SECRET: webhookSecrets.default([]),
  WORKER_CONCURRENCY: count(1, 10_000).default(20),
  WORKER_QUEUES: queueNames.default(['default']),
  WORKER_SILENCE_SECONDS: count(3, 3_600).default(15),
  SHUTDOWN_GRACE_SECONDS: count(0, 3_600).default(25),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

export type Config = z.output<typeof SETTINGS>

/** All that is wrong with the environment, in one message. */
export class ConfigError extends Error {
  constructor(faults: string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/**
 * @param required settings without a default that this command cannot do without
 * @throws ConfigError that names every wrong setting
 */
export function readConfig(
  environment: Record<string, string | undefined>,
  required: ('DATABASE_URL' | 'REDIS_URL')[] = [],
): Config {
  // Compose and systemd pass unset variables as empty ones.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const parsed = SETTINGS.safeParse(given)
  const missing = required
    .filter((name) => given[name] === undefined)
    .map((name) => `${name}: is required here`)
  const wrong = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path[0]?.toString()}: ${issue.message}`)
  if (!parsed.success || missing.length > 0) throw new ConfigError([...missing, ...wrong])
  return parsed.data
}

// Parses and validates the environment variables that configure Waggle. Reports all errors at the same time.
import { availableParallelism } from 'node:os'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { messageOf } from './base/errors.ts'

const count = (min: number, max: number) =>
  z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(min).max(max))

/** A number of processes; `auto` is the number of processor cores that this process may use. */
const processes = z
  .string()
  .refine((text) => text === 'auto' || (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 256), {
    error: 'must be auto or a whole number from 1 to 256',
  })
  .transform((text) => (text === 'auto' ? availableParallelism() : Number(text)))

const url = (...schemes: string[]) =>
  z.string().refine((text) => schemes.some((scheme) => text.startsWith(scheme)) && URL.canParse(text), {
    error: `must be a URL that begins with ${schemes.join(' or ')}`,
  })

/** Pattern of queue names. The characters are limited, because names are part of Redis keys and of URLs. */
export const QUEUE_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/

const texts = z.string().transform((text) => text.split(',').map((entry) => entry.trim()))

const list = (entry: RegExp, expectation: string) => texts.pipe(z.array(z.string().regex(entry, expectation)))

const queueNames = list(
  QUEUE_NAME,
  'must be a comma-separated list of queue names (lower case letters, digits, - and _)',
)

/**
 * Scopes of an API key: `submit` creates tasks; `read` sees them; `operate` cancels, retries, replays,
 * pauses; `reveal` sees the sensitive values of the tasks that the key may read.
 */
export const SCOPES = ['submit', 'read', 'operate', 'reveal'] as const
export type Scope = (typeof SCOPES)[number]

/** An API key that the API accepts. `hash` is the SHA-256 of the key. */
export interface ApiKey {
  name: string
  scopes: Scope[]
  hash: Buffer
}

const SCOPE = `(?:${SCOPES.join('|')})`
const API_KEY = new RegExp(
  `^(?<name>[\\w.-]{1,64}):(?<scopes>${SCOPE}(?:\\+${SCOPE})*):(?<hash>[0-9a-f]{64})$`,
)

const apiKeys = list(
  API_KEY,
  'must be a comma-separated list of entries as `waggle keys create` prints them (name:scope+scope:hash)',
)
  .transform((entries) => entries.map(apiKeyOf))
  .refine(
    (keys) => new Set(keys.map(({ name }) => name)).size === keys.length,
    'must not have two entries with the same name',
  )

function apiKeyOf(entry: string): ApiKey {
  const { name = '', scopes = '', hash = '' } = API_KEY.exec(entry)?.groups ?? {}
  return {
    name,
    scopes: SCOPES.filter((scope) => scopes.split('+').includes(scope)),
    hash: Buffer.from(hash, 'hex'),
  }
}

const rateLimit = z
  .string()
  .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,4}$/, 'must be requests/seconds, e.g. 600/60')
  .transform((text) => {
    const [requests = 0, seconds = 0] = text.split('/').map(Number)
    return { requests, seconds }
  })

// Pattern of host names. Rejects names whose last label is a number, which URL parsers treat as IPv4
// addresses.
const HOST_NAME = /^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/i

const hostsOrRanges = texts.pipe(
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
        'must be a comma-separated list of host names, addresses and ranges (10.0.0.0/8)',
      ),
  ),
)

const WEBHOOK_SECRET = /^whsec_([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const webhookSecrets = texts.pipe(
  z.array(
    z.string().refine((text) => {
      const { length } = Buffer.from(text.replace('whsec_', ''), 'base64')
      // Secrets that sign webhooks must have 24 to 64 bytes (Standard Webhooks 1.0, "Signature scheme").
      return WEBHOOK_SECRET.test(text) && length >= 24 && length <= 64
    }, 'must be whsec_ followed by 24 to 64 random bytes in base64, or a comma-separated list of these'),
  ),
)

/** All environment variables with their limits and defaults. The table in the README describes them. */
const SETTINGS = z.object({
  DATABASE_URL: url('postgres://', 'postgresql://', 'pglite:').optional(),
  REDIS_URL: url('redis://', 'rediss://').optional(),
  DATA_DIR: z.string().min(1).default('.data'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: count(0, 65_535).default(8000),
  HEALTH_PORT: count(0, 65_535).optional(),
  API_KEYS: apiKeys.optional(),
  ALLOW_ANONYMOUS: z.enum(['true', 'false']).default('false'),
  NODE_ENV: z.string().optional(),
  RATE_LIMIT: rateLimit.optional(),
  TRUSTED_PROXIES: count(0, 10).default(0),
  CORS_ORIGINS: list(
    /^https?:\/\/[^/\s]+$/,
    'must be a comma-separated list of origins, e.g. https://app.example.com',
  ).default([]),
  BODY_LIMIT_BYTES: count(1_024, 64 * 1024 * 1024).default(256 * 1024),
  /** Days after which finished tasks are removed; 0 keeps them forever. */
  RETENTION_DAYS: count(0, 3_650).default(30),
  /** Hours after which successful tasks are removed, if that is earlier than `RETENTION_DAYS`. */
  RETENTION_SUCCESS_HOURS: count(1, 87_600).optional(),
  /** Hours for which a repeated submission with the same idempotency key gets the first response. */
  IDEMPOTENCY_HOURS: count(1, 8_760).default(24),
  DATABASE_POOL_SIZE: count(4, 200).default(10),
  HTTP_REQUEST_ALLOW: hostsOrRanges.default([]),
  WEBHOOK_SECRET: webhookSecrets.default([]),
  WORKER_CONCURRENCY: count(1, 10_000).default(20),
  WORKER_NICE: count(0, 19).default(10),
  // A queue that is named twice would get two consumers, of which only one would ever be stopped.
  WORKER_QUEUES: queueNames.transform((names) => [...new Set(names)]).default(['default']),
  /** Number of API processes and of worker processes that one command starts. */
  API_PROCESSES: processes.default(1),
  WORKER_PROCESSES: processes.default(1),
  /** Resident memory above which a worker process is replaced; its isolated processes do not count. */
  WORKER_MAX_MEMORY_MB: count(64, 1_048_576).optional(),
  /**
   * Isolated processes of one command, shared by its worker processes. The default is the number of cores, or
   * fewer if the memory limit of the container is too small for them.
   */
  ISOLATED_PROCESSES: processes.optional(),
  WORKER_MISSING_AFTER_SECONDS: count(3, 3_600).default(15),
  SHUTDOWN_GRACE_SECONDS: count(0, 3_600).default(25),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

export type Config = z.output<typeof SETTINGS> & {
  /** The settings of the project, see `defineServices`. */
  project: Record<string, unknown>
}

/** Environment variables of a process. */
export type Environment = Record<string, string | undefined>

/** An error whose message lists all invalid and missing environment variables, one per line. */
export class ConfigError extends Error {
  constructor(faults: string[]) {
    super(`The configuration is not valid:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/**
 * Parses the environment variables. Empty ones count as unset.
 * @param required variables that the command needs. API_KEYS is required only in production, and not if
 * ALLOW_ANONYMOUS is true
 * @param projectSettings schema of the settings of the project, if this process needs them
 * @throws ConfigError listing every missing and invalid setting
 */
export function readConfig(
  environment: Environment,
  required: ('DATABASE_URL' | 'REDIS_URL' | 'API_KEYS')[] = [],
  projectSettings: z.ZodObject = z.object({}),
): Config {
  // Removes empty variables, because Docker Compose and systemd pass unset variables as empty strings.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))
  const missing = required
    .filter((name) => given[name] === undefined && (name !== 'API_KEYS' || isKeyRequired(given)))
    .map((name) => `${name}: ${name === 'API_KEYS' ? KEYS_REQUIRED : 'is required for this command'}`)
  const parsed = SETTINGS.safeParse(given)
  const project = parseProjectSettings(projectSettings, given)
  if (parsed.success && project.success && missing.length === 0)
    return { ...parsed.data, project: project.data }
  throw new ConfigError([...missing, ...faultsOf(parsed, given), ...faultsOf(project, given)])
}

/**
 * Parses the settings of the project. The schema gets only the variables that it names.
 * @throws Error if the schema has checks that are asynchronous
 */
function parseProjectSettings(schema: z.ZodObject, given: Environment) {
  const names = Object.keys(schema.shape)
  const values = names.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]))
  try {
    return schema.safeParse(Object.fromEntries(values))
  } catch (cause) {
    throw new Error(`The settings of the project could not be checked: ${messageOf(cause)}`, { cause })
  }
}

function faultsOf({ error }: z.ZodSafeParseResult<unknown>, given: Environment): string[] {
  return (error?.issues ?? []).map((issue) => {
    // Below the name are positions in a list.
    const name = issue.path[0]?.toString()
    if (name === undefined) return `settings of the project: ${issue.message}`
    return `${name}: ${given[name] === undefined ? 'is required' : issue.message}`
  })
}

const KEYS_REQUIRED =
  'is required in production (create a key with `waggle keys create`); ALLOW_ANONYMOUS=true allows requests without a key'

function isKeyRequired(given: Environment): boolean {
  return given.NODE_ENV?.toLowerCase() === 'production' && given.ALLOW_ANONYMOUS !== 'true'
}

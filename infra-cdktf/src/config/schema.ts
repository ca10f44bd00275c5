// The schema of the configuration. It rejects invalid combinations with a message that names the field.
import { z } from 'zod'
import { ENVIRONMENTS, type Environment, ROLES } from '../names.ts'

const region = z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region, e.g. eu-central-1')
const email = z.email('must be an e-mail address')

const instanceType = z
  .string()
  .regex(
    /^[a-z]+\d[a-z-]*\.(nano|micro|small|medium|\d*x?large)$/,
    'must be an instance type, e.g. t4g.small',
  )

const hostRole = z.enum(ROLES)

// The same pattern as QUEUE_NAME in src/config.ts of the application.
const queues = z
  .array(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, 'must be a queue name: lower case letters, digits, - and _'),
  )
  .min(1)
  .refine((names) => new Set(names).size === names.length, 'must not name a queue twice')

/** A kind of worker, with hosts of its own, or in a service of its own on a single host. */
const workerKind = z.strictObject({
  count: z.int().min(1).max(20).default(1),
  concurrency: z.int().min(1).max(1_000),
  /** Queues of this kind. Several kinds can serve the same queue. */
  queues,
  /** Default: hosts.instanceType. Not with topology "single". */
  instanceType: instanceType.optional(),
  /** Default: as many as cores and memory allow. */
  isolatedProcesses: z.int().min(1).max(256).optional(),
  /** Memory limit of the container, in the format of Docker. Default: 1g. */
  memory: z
    .string()
    .regex(/^[1-9]\d*[mg]$/, 'must be an amount of memory, e.g. 512m or 2g')
    .optional(),
})
export type WorkerKind = z.output<typeof workerKind>

// A name ends without a digit, because the names of hosts end with a number: worker-cpu-1.
const kindName = z
  .string()
  .max(20)
  .regex(
    /^[a-z][a-z0-9]*(-[a-z0-9]+)*(?<!\d)$/,
    'must be a name like cpu: lower case letters, no digit at the end',
  )
  .refine(
    (name) => !ROLES.some((role) => role === name),
    `must not be the name of a role: ${ROLES.join(', ')}`,
  )

const accountSchema = z.strictObject({
  id: z.string().regex(/^\d{12}$/, 'must be the 12 digits of an account'),
  region,
  github: z.strictObject({
    owner: z.string().regex(/^[\w.-]+$/, 'must be a user or an organization'),
    ownerId: z.int().positive(),
    repository: z.string().regex(/^[\w.-]+$/, 'must be the name of a repository, without its owner'),
    repositoryId: z.int().positive(),
    /** True if the repository is older than 2026-07-15 and its token subjects have the format without ids. */
    legacySubject: z.boolean().default(false),
    /** True if the account already has an OIDC provider for GitHub. An account can have only one. */
    existingProvider: z.boolean().default(false),
  }),
  /** Without it, AWS sends no mail about the cost. */
  monthlyBudgetUsd: z.int().min(1).optional(),
  /** Receives budget notifications and alarms. */
  email,
})

const environmentSchema = z.strictObject({
  /** single: one host runs everything. multi: one role per host. The database is RDS in both. */
  topology: z.enum(['single', 'multi']),
  /** high: the database, the cache and the NAT gateway are redundant. */
  availability: z.enum(['basic', 'high']).default('basic'),
  /**
   * emulator: AWS_ENDPOINT_URL is the endpoint, the account is not validated, and the state is a local file.
   */
  target: z.enum(['aws', 'emulator']).default('aws'),
  vpcCidr: z
    .string()
    .regex(/^10\.(25[0-5]|2[0-4]\d|1?\d?\d)\.0\.0\/16$/, 'must be a range of the form 10.x.0.0/16'),
  /** Letters of two availability zones of the region. */
  zones: z
    .tuple([z.string().regex(/^[a-f]$/), z.string().regex(/^[a-f]$/)])
    .refine(([one, other]) => one !== other, 'must be two different zones')
    .default(['a', 'b']),
  domain: z
    .strictObject({
      name: z.string().regex(/^([a-z0-9-]+\.)+[a-z]{2,}$/, 'must be a domain name in lower case'),
      zoneId: z.string().regex(/^Z[A-Z0-9]{5,31}$/, 'must be the id of a hosted zone in Route 53'),
    })
    .optional(),
  /**
   * Clients connect by HTTPS. edge: to nginx on the host, with a certificate of Let's Encrypt. alb: to a load
   * balancer.
   */
  ingress: z.enum(['edge', 'alb']).default('edge'),
  /** How hosts reach AWS: with public addresses, or from private subnets through a NAT gateway. */
  egress: z.enum(['public-ip', 'nat-gateway']).default('public-ip'),
  hosts: z.strictObject({
    instanceType,
    architecture: z.enum(['arm64', 'x86_64']),
    rootGb: z.int().min(16).max(500),
    byRole: z.partialRecord(hostRole, instanceType).default({}),
    /** EC2 metrics every minute instead of every 5; 2.10 USD per host and month. Default: on in prod. */
    detailedMonitoring: z.boolean().optional(),
  }),
  api: z.strictObject({ count: z.int().min(1).max(6) }).default({ count: 1 }),
  workers: z
    .strictObject({
      count: z.int().min(1).max(20),
      concurrency: z.int().min(1).max(1_000),
      /** Default: the queue `default`. */
      queues: queues.optional(),
      /** More kinds of workers, by name, each with its own queues and slots. */
      kinds: z.record(kindName, workerKind).default({}),
      /** Replaces `count`: an auto scaling group keeps about `backlogPerHost` waiting tasks per host. */
      scaling: z
        .strictObject({
          min: z.int().min(1),
          max: z.int().min(1).max(50),
          backlogPerHost: z.int().min(1),
        })
        .refine(({ min, max }) => min <= max, { path: ['max'], error: 'must not be less than min' })
        .optional(),
    })
    .prefault({ count: 1, concurrency: 20 }),
  /**
   * One primary: Bee-Queue's scripts need all keys on one node, so cluster mode and serverless do not work.
   */
  cache: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('container'), dataGb: z.int().min(1).max(100).default(4) }),
      z.strictObject({
        kind: z.literal('elasticache'),
        nodeType: z
          .string()
          .regex(/^cache\.[a-z0-9]+\.[a-z0-9]+$/, 'must be a node type, e.g. cache.t4g.micro'),
      }),
    ])
    .prefault({ kind: 'container' }),
  database: z
    .strictObject({
      instanceClass: z
        .string()
        .regex(/^db\.[a-z0-9]+\.[a-z0-9]+$/, 'must be an instance class, e.g. db.t4g.micro')
        .default('db.t4g.micro'),
      version: z.literal(['16', '17']).default('17'),
      storageGb: z.int().min(20).max(16_384).default(20),
      maxStorageGb: z.int().min(20).max(16_384).default(100),
      backupDays: z.int().min(1).max(35).default(7),
      deletionProtection: z.boolean().default(true),
      /** Performance Insights, and enhanced monitoring every 60 s. Default: on in prod. */
      detailedMonitoring: z.boolean().optional(),
    })
    .prefault({}),
  logs: z.strictObject({ retentionDays: z.literal([7, 14, 30, 60, 90, 180, 365]).default(30) }).prefault({}),
  alarms: z
    .strictObject({
      queueDepth: z.int().min(1).default(1_000),
      oldestWaitingSeconds: z.int().min(1).default(300),
    })
    .prefault({}),
  /**
   * cmk: a customer-managed key encrypts all stored data of the environment, but not the shared stack. aws:
   * only the alarm topic, which requires one.
   */
  kms: z.enum(['aws', 'cmk']).default('aws'),
  /** Addresses of resources with data that a plan may delete or replace, e.g. `aws_db_instance.database`. */
  mayLose: z
    .array(z.string().regex(/^aws_\w+\.[\w-]+$/, 'must be an address, e.g. aws_db_instance.database'))
    .default([]),
})

export type AccountInput = z.input<typeof accountSchema>
export type Account = z.output<typeof accountSchema>
export type EnvironmentInput = z.input<typeof environmentSchema>
export type EnvironmentConfig = z.output<typeof environmentSchema> & {
  name: Environment
  account: Account
  /** Name of the final snapshot of the database. Only the command destroy sets it. */
  lastSnapshot?: string
}
export type Config = EnvironmentConfig

type Settings = z.output<typeof environmentSchema>
type Contradiction = [
  path: string,
  isWrong: (settings: Settings, name: Environment) => boolean,
  message: string,
]

const CONTRADICTIONS: Contradiction[] = [
  [
    'domain',
    (s) => s.ingress === 'alb' && !s.domain,
    'is required with ingress "alb", because its certificate needs a domain name',
  ],
  ['ingress', (s) => s.api.count > 1 && s.ingress !== 'alb', 'must be "alb" with api.count above 1'],
  ['api.count', (s) => s.topology === 'single' && s.api.count > 1, 'must be 1 with topology "single"'],
  [
    'workers.count',
    (s) => s.topology === 'single' && s.workers.count > 1,
    'must be 1 with topology "single"; raise workers.concurrency',
  ],
  [
    'workers.kinds',
    (s) =>
      s.topology === 'single' &&
      kindsOf(s.workers).some(({ count, instanceType }) => count > 1 || instanceType),
    'must have count 1 and no instanceType with topology "single"',
  ],
  ['workers.scaling', (s) => s.topology === 'single' && Boolean(s.workers.scaling), 'needs topology "multi"'],
  [
    'workers.scaling',
    ({ workers }) => Boolean(workers.scaling && (workers.queues || Object.keys(workers.kinds).length > 0)),
    'excludes workers.kinds and workers.queues, because the group follows the waiting tasks of all queues',
  ],
  [
    'egress',
    (s) => s.ingress === 'edge' && s.egress === 'nat-gateway',
    'must be "public-ip" with ingress "edge", because the API host needs a public address',
  ],
  [
    'cache.kind',
    (s) => s.availability === 'high' && s.cache.kind !== 'elasticache',
    'must be "elasticache" with availability "high", because a container has no replica',
  ],
  [
    'topology',
    (s) => s.availability === 'high' && s.topology !== 'multi',
    'must be "multi" with availability "high"',
  ],
  [
    'hosts.architecture',
    (s) => instanceTypesOf(s).some((type) => isArm(type) !== (s.hosts.architecture === 'arm64')),
    'does not fit an instance type: t4g, m7g and the like are arm64, the others x86_64',
  ],
  [
    'hosts.byRole',
    (s) => Object.keys(s.hosts.byRole).some((role) => (role === 'app') !== (s.topology === 'single')),
    'names a role that this topology has no host for',
  ],
  [
    'database.maxStorageGb',
    (s) => s.database.maxStorageGb < s.database.storageGb,
    'must not be less than storageGb',
  ],
  [
    'database.deletionProtection',
    (s, name) => name === 'prod' && !s.database.deletionProtection,
    'must be true in prod',
  ],
  [
    'database.backupDays',
    (s, name) => name === 'prod' && s.database.backupDays < 7,
    'must be at least 7 in prod',
  ],
]

/** Graviton instance families have a g after their number: t4g, m7gd. */
const isArm = (type: string) => /^[a-z]+\d+g/.test(type)

function instanceTypesOf({ hosts, workers }: Settings): string[] {
  const ofKinds = kindsOf(workers).flatMap(({ instanceType }) => instanceType ?? [])
  return [hosts.instanceType, ...Object.values(hosts.byRole), ...ofKinds]
}

const kindsOf = (workers: Settings['workers']): WorkerKind[] => Object.values(workers.kinds)

/** Thrown for invalid values in account.ts and environments.ts. The message names every invalid field. */
export class ConfigError extends Error {
  constructor(subject: string, faults: string[]) {
    super(`The configuration of ${subject} is not valid:\n${faults.map((fault) => `  ${fault}`).join('\n')}`)
    this.name = 'ConfigError'
  }
}

/** @throws ConfigError */
export function parseAccount(input: unknown): Account {
  const parsed = accountSchema.safeParse(input)
  if (!parsed.success) throw new ConfigError('the account', faultsOf(parsed.error))
  return parsed.data
}

/** @throws ConfigError */
export function parseEnvironment(name: string, input: unknown, account: Account): EnvironmentConfig {
  const environment = ENVIRONMENTS.find((known) => known === name)
  if (!environment)
    throw new ConfigError(name, [`No environment is named "${name}"; known are ${ENVIRONMENTS.join(', ')}`])
  const parsed = environmentSchema.safeParse(input)
  if (!parsed.success) throw new ConfigError(name, faultsOf(parsed.error))
  const faults = CONTRADICTIONS.filter(([, isWrong]) => isWrong(parsed.data, environment))
  if (faults.length > 0)
    throw new ConfigError(
      name,
      faults.map(([path, , message]) => `${path} ${message}`),
    )
  return { ...parsed.data, name: environment, account }
}

const faultsOf = (error: z.ZodError) =>
  error.issues.flatMap((issue) => {
    const messages =
      issue.code === 'invalid_key' ? issue.issues.map(({ message }) => message) : [issue.message]
    return messages.map((message) => `${issue.path.join('.')}: ${message}`)
  })

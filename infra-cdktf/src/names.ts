// Every name that more than one side must know: the stacks, the host's scripts, the workflows, the tests.
// Values that are not names (sizes, counts) are in config/.

/** The project: first part of names, tag `Project`, first part of SSM paths. */
export const PROJECT = 'waggle'

export const ENVIRONMENTS = ['dev', 'staging', 'prod'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

/** What a host is there for: `app` is everything on one host. Its profiles of docker-compose.yml are beside it. */
export const PROFILES = {
  app: ['edge', 'api', 'worker', 'redis'],
  api: ['edge', 'api'],
  worker: ['worker'],
  redis: ['redis'],
} as const
export type Role = keyof typeof PROFILES
export const ROLES = Object.keys(PROFILES) as Role[] // the keys of a literal

export const PORTS = { http: 80, https: 443, redis: 6379, postgres: 5432 } as const

/** Answers GET and HEAD with 200: asked by Docker, nginx, the load balancer and the smoke test. */
export const HEALTH_PATH = '/health'

/** Repositories in ECR; their images are tagged with the commit's full SHA, and never overwritten. */
export const REPOSITORIES = { app: 'waggle-app', web: 'waggle-web' } as const

/** Of the private zone: Redis on a host of its own is `redis.waggle.internal`. */
export const ZONE = `${PROJECT}.internal`
export const REDIS_NAME = `redis.${ZONE}`

export const DATABASE = {
  name: 'waggle',
  /** Owned by RDS, which changes its password every week: for setting up and migrating only. */
  master: 'waggle_master',
  /** What API and workers are; its password is the secret DATABASE_PASSWORD. */
  app: 'waggle_app',
} as const

/** Metrics that hosts publish every minute. Dimensions: `Environment`, and `Host` where it is said. */
export const METRICS = {
  namespace: 'Waggle',
  /** Of /v1/stats, by a host that runs the API. Without `Host`. */
  queueDepth: 'QueueDepth',
  running: 'RunningTasks',
  oldestWaiting: 'OldestWaitingSeconds',
  /** 1 from every host whose worker is healthy. Without `Host`: the sum counts them. */
  workerHeartbeat: 'WorkerHeartbeat',
  /** With `Host`, which is the tag of that name. */
  diskUsed: 'DiskUsedPercent',
  memoryUsed: 'MemoryUsedPercent',
  /** Counted from log lines, in a namespace of the environment, without dimensions. */
  serverErrors: 'ServerErrors',
  taskFailures: 'TaskFailures',
  unexpectedErrors: 'UnexpectedErrors',
} as const

/** Tags of an instance; it can read them from its metadata without any permission. */
export const TAGS = {
  project: 'Project',
  environment: 'Environment',
  role: 'Role',
  /** `api-1`, `worker-2`, …; `worker` for all of an auto scaling group. */
  host: 'Host',
} as const

/** What scripts/init-secrets makes as SecureStrings below `app/`: never in Terraform, never in its state. */
export const SECRETS = {
  app: ['DATABASE_PASSWORD', 'REDIS_PASSWORD', 'WEBHOOK_SECRET'],
  /** Below `role/<role>/` of the role that runs the API. The timer and the smoke test have keys of their own. */
  api: ['API_KEYS', 'METRICS_API_KEY', 'SMOKE_API_KEY'],
} as const

/** What Terraform sets below `app/`, from which the host renders its .env. REDIS_USERNAME is there with ElastiCache only. */
export const APP_PARAMETERS = [
  'AWS_REGION',
  'ECR_REGISTRY',
  'DATABASE_HOST',
  'REDIS_SCHEME',
  'REDIS_USERNAME',
  'REDIS_HOST',
  'BACKEND_LOG_GROUP',
  'WORKER_LOG_GROUP',
] as const
export type AppParameter = (typeof APP_PARAMETERS)[number]

/** The same below `role/<role>/`; MASTER_SECRET_ARN is there only where the API runs. */
export const ROLE_PARAMETERS = [
  'COMPOSE_PROFILES',
  'COMPOSE_FILE',
  'WORKER_CONCURRENCY',
  'TRUSTED_PROXIES',
  'MASTER_SECRET_ARN',
] as const
export type RoleParameter = (typeof ROLE_PARAMETERS)[number]

/** A full or short commit, as the rollout document and the workflows accept it. */
export const IMAGE_TAG = '^[0-9a-f]{7,40}$'

export type Names = ReturnType<typeof namesOf>

/** The names of one environment. */
export function namesOf(environment: Environment) {
  const prefix = `${PROJECT}-${environment}`
  const path = `/${PROJECT}/${environment}`
  // Production has the plain names of the two groups; others share the account with it.
  const group = (name: string) => (environment === 'prod' ? name : `${environment}-${name}`)
  return {
    prefix,
    paths: {
      root: path,
      app: `${path}/app`,
      role: (role: Role) => `${path}/role/${role}`,
      /** Written by the rollout alone: the commits that run, and ran before. */
      releaseCurrent: `${path}/release/current`,
      releasePrevious: `${path}/release/previous`,
      release: `${path}/release`,
      /** A host writes here when it is up: `<path>/<instance id>`. */
      ready: `${path}/ready`,
    },
    logs: {
      backend: group('backend-logs'),
      worker: group('worker-logs'),
      rollout: `${path}/rollout`,
      host: `${path}/host`,
      flow: `${path}/flow`,
      database: `/aws/rds/instance/${prefix}/postgresql`,
      databaseUpgrade: `/aws/rds/instance/${prefix}/upgrade`,
    },
    /** Namespace of the metrics that are counted from log lines: they have no dimensions. */
    logMetrics: `${METRICS.namespace}/${environment}`,
    rolloutDocument: `${prefix}-rollout`,
    database: prefix,
    cache: prefix,
    dashboard: prefix,
    /** Of the volume that keeps Redis' append-only file, where the hosts' Docker has its volumes. */
    dataVolume: `${prefix}-redis-data`,
    dataDevice: '/dev/sdf',
    hostRole: (role: Role) => `${prefix}-host-${role}`,
    autoScalingGroup: `${prefix}-workers`,
  }
}

/** Roles that GitHub assumes: `plan` from pull requests, `build` from main, `deploy` from the environment. */
export const GITHUB_ROLES = {
  plan: `${PROJECT}-github-plan`,
  build: `${PROJECT}-github-build`,
  deploy: `${PROJECT}-github-deploy`,
} as const

/** The environment of GitHub in which `deploy` may be assumed, by environment of ours. */
export const GITHUB_ENVIRONMENTS = { dev: 'development', staging: 'staging', prod: 'production' } as const

/** Bucket names are the whole world's: the account makes it ours. */
export const stateBucketOf = (accountId: string, region: string) => `${PROJECT}-state-${accountId}-${region}`
export const stateKeyOf = (stack: string) => `${stack}/terraform.tfstate`

/** Names of the stacks; each is a folder in cdktf.out/stacks. */
export const SHARED_STACK = 'shared'
export const stackOf = (environment: Environment) => environment

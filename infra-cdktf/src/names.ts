// Names that stacks, host scripts, workflows and tests must agree on. Sizes and counts are in config/.

/** Project name: prefix of resource names and SSM paths, and value of the tag `Project`. */
export const PROJECT = 'waggle'

export const ENVIRONMENTS = ['dev', 'staging', 'prod'] as const
export type Environment = (typeof ENVIRONMENTS)[number]

/** Roles of hosts and the profiles of docker-compose.yml that they run. `app` runs everything on one host. */
export const PROFILES = {
  app: ['edge', 'api', 'worker', 'redis'],
  api: ['edge', 'api'],
  worker: ['worker'],
  redis: ['redis'],
} as const
/**
 * Role of hosts that run one kind of worker of `workers.kinds`, in the service `worker` with its own
 * settings.
 */
export type KindRole = `worker-${string}`
export type Role = keyof typeof PROFILES | KindRole
export const ROLES = Object.keys(PROFILES) as (keyof typeof PROFILES)[] // the keys of a literal

/** Role of the hosts of a kind of worker, and its service on a single host. */
export const kindRoleOf = (kind: string): KindRole => `worker-${kind}`
export const isKindRole = (role: Role): role is KindRole => role.startsWith('worker-')
export const profilesOf = (role: Role): readonly string[] => PROFILES[isKindRole(role) ? 'worker' : role]

export const PORTS = { http: 80, https: 443, redis: 6379, postgres: 5432 } as const

/**
 * Path of the health check: 200 for GET and HEAD. Docker, nginx, the load balancer and the smoke test request
 * it.
 */
export const HEALTH_PATH = '/health'

/** Repositories in ECR. The tag of an image is the full SHA of its commit. Tags are immutable. */
export const REPOSITORIES = { app: 'waggle-app', web: 'waggle-web' } as const

/** Name of Redis inside Docker, on a single host. */
export const REDIS_NAME = `redis.${PROJECT}.internal`

export const DATABASE = {
  name: 'waggle',
  /** Master user of RDS, used only to set up the role `app`. RDS rotates its password every week. */
  master: 'waggle_master',
  /** Role of the API and the workers. Its password is the secret DATABASE_PASSWORD. */
  app: 'waggle_app',
} as const

/**
 * Metrics of an environment. Hosts publish them every minute, with the dimension `Environment`, and `Host`
 * where noted; the last three are counted from log lines. Each environment has its own namespace: IAM limits
 * namespaces, but not dimensions.
 */
export const METRICS = {
  /** From /v1/stats, published by hosts that run the API. Without `Host`. */
  queueDepth: 'QueueDepth',
  running: 'RunningTasks',
  oldestWaiting: 'OldestWaitingSeconds',
  /**
   * 1 per minute from every host whose workers for the queues of `workers` (config/schema.ts) are healthy.
   * Without `Host`, so that the sum over a minute is the number of these hosts. Each kind of `workers.kinds`
   * is a metric of its own, with the additional dimension `Worker`, e.g. `worker-cpu`.
   */
  workerHeartbeat: 'WorkerHeartbeat',
  /** Services of workers on a host that do not start, restart repeatedly or are unhealthy. Without `Host`. */
  unhealthyWorkers: 'UnhealthyWorkers',
  /** With `Host`, the value of the tag `Host`. */
  diskUsed: 'DiskUsedPercent',
  memoryUsed: 'MemoryUsedPercent',
  /**
   * Of the certificate that nginx serves, in percent of its lifetime. From the host with the edge. Without
   * `Host`.
   */
  certificateLifetimeLeft: 'CertificateLifetimeLeftPercent',
  /** Counted from log lines. Without dimensions. */
  serverErrors: 'ServerErrors',
  taskFailures: 'TaskFailures',
  unexpectedErrors: 'UnexpectedErrors',
} as const

/** Tags of an instance. The instance reads them from its metadata, which needs no permission. */
export const TAGS = {
  project: 'Project',
  environment: 'Environment',
  role: 'Role',
  /** `api-1`, `worker-2`, …; `worker` for all of an auto scaling group. */
  host: 'Host',
} as const

/** Secrets that scripts/secrets.ts creates as SecureStrings. They are never in Terraform or its state. */
export const SECRETS = {
  /** Below `app/`. */
  app: ['DATABASE_PASSWORD', 'REDIS_PASSWORD', 'WEBHOOK_SECRET'],
  /** Below `role/<role>/` of the role that runs the API. Metrics timer and smoke test have separate keys. */
  api: ['API_KEYS', 'METRICS_API_KEY', 'SMOKE_API_KEY'],
} as const

/**
 * Set by Terraform below `app/`; hosts render .env from them. REDIS_USERNAME exists with ElastiCache only.
 */
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
/** The parameters below `app/` that a host with only Redis may read. host/render-env.sh has the same list. */
export const REDIS_HOST_PARAMETERS = [
  'AWS_REGION',
  'ECR_REGISTRY',
  'BACKEND_LOG_GROUP',
  'WORKER_LOG_GROUP',
  'REDIS_PASSWORD',
] as const

/**
 * Set by Terraform below `role/<role>/`. MASTER_SECRET_ARN exists only for the role that runs the API,
 * DATA_VOLUME for the one that runs Redis in a container, WORKER_KINDS for a single host with
 * `workers.kinds`, DOMAIN and ACME_EMAIL where nginx itself serves HTTPS.
 */
export const ROLE_PARAMETERS = [
  'COMPOSE_PROFILES',
  'COMPOSE_FILE',
  'WORKER_CONCURRENCY',
  'WORKER_QUEUES',
  'WORKER_MEMORY',
  'ISOLATED_PROCESSES',
  'WORKER_KINDS',
  'DATA_VOLUME',
  'TRUSTED_PROXIES',
  'DOMAIN',
  'ACME_EMAIL',
  'MASTER_SECRET_ARN',
] as const
export type RoleParameter = (typeof ROLE_PARAMETERS)[number]

/** Pattern of a full or abbreviated commit. The rollout document and scripts/rollout.ts check it. */
export const IMAGE_TAG = '^[0-9a-f]{7,40}$'

export type Names = ReturnType<typeof namesOf>

/** Returns the names of one environment. */
export function namesOf(environment: Environment) {
  const prefix = `${PROJECT}-${environment}`
  const path = `/${PROJECT}/${environment}`
  // Environments can share an account. Only production has log groups without a prefix.
  const group = (name: string) => (environment === 'prod' ? name : `${environment}-${name}`)
  return {
    prefix,
    paths: {
      root: path,
      app: `${path}/app`,
      role: (role: Role) => `${path}/role/${role}`,
      /** The current and the previous commit. Only rollouts and rollbacks write them. */
      releaseCurrent: `${path}/release/current`,
      releasePrevious: `${path}/release/previous`,
      release: `${path}/release`,
      /** A host that has started a commit writes it to `<path>/<instance id>`. */
      ready: `${path}/ready`,
      /** While a secret is rotated, `<path>/<name>` contains its old value. Hosts cannot read it. */
      rotation: `${path}/rotation`,
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
    /** Namespace of all metrics. */
    metrics: `Waggle/${environment}`,
    rolloutDocument: `${prefix}-rollout`,
    database: prefix,
    cache: prefix,
    keyAlias: `alias/${prefix}`,
    /**
     * Private DNS zone. It contains the environment, so that permissions can refer to names of one
     * environment.
     */
    zone: `${environment}.${PROJECT}.internal`,
    /** Name of Redis on a separate host. */
    redis: `redis.${environment}.${PROJECT}.internal`,
    dashboard: prefix,
    /**
     * Name of the volume with Redis' append-only file. The host mounts it as the root of Docker's volumes.
     */
    dataVolume: `${prefix}-redis-data`,
    dataDevice: '/dev/sdf',
    hostRole: (role: Role) => `${prefix}-host-${role}`,
    autoScalingGroup: `${prefix}-workers`,
    /** Lifecycle hook: a worker of the auto scaling group is in service only after it was prepared. */
    launchHook: 'prepared',
  }
}

/** Roles of workflows: `plan` in pull requests and on main, `build` on main. */
export const GITHUB_ROLES = { plan: `${PROJECT}-github-plan`, build: `${PROJECT}-github-build` } as const
/** Role of the workflow that deploys to an environment. */
export const deployRoleOf = (environment: Environment) => `${PROJECT}-github-deploy-${environment}`
/** Permissions boundary of all roles of an environment. */
export const boundaryOf = (environment: Environment) => `${PROJECT}-${environment}-boundary`

/**
 * GitHub environments by environment of this project. Only their jobs can assume the role that deploys to it.
 */
export const GITHUB_ENVIRONMENTS = { dev: 'development', staging: 'staging', prod: 'production' } as const

/** Bucket names are global, so the name contains the account id. */
export const stateBucketOf = (accountId: string, region: string) => `${PROJECT}-state-${accountId}-${region}`
export const stateKeyOf = (stack: string) => `${stack}/terraform.tfstate`

/** Names of the stacks. Each is a folder in cdktf.out/stacks. */
export const SHARED_STACK = 'shared'
export const stackOf = (environment: Environment) => environment

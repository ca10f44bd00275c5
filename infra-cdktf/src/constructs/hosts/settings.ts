// Settings that a host reads when it starts: parameters of its environment and of its role. Terraform writes
// no secrets: scripts/secrets.ts stores those directly under the same paths.
import { SsmParameter } from '@cdktf/provider-aws/lib/ssm-parameter/index.js'
import type { Construct } from 'constructs'
import type { Config, WorkerKind } from '../../config/schema.ts'
import {
  type AppParameter,
  kindRoleOf,
  namesOf,
  profilesOf,
  REDIS_NAME,
  type Role,
  type RoleParameter,
} from '../../names.ts'
import type { Topology } from '../../topology.ts'
import type { Cache } from '../data/cache.ts'
import type { Database } from '../data/database.ts'

export interface SettingsParts {
  database: Database
  cache: Cache | undefined
  /** Domain name or address for which nginx itself serves HTTPS; undefined behind a load balancer. */
  domain: string | undefined
  /** Id of the EBS volume with the data of Redis. */
  dataVolume: string | undefined
}

export function createSettings(
  scope: Construct,
  config: Config,
  topology: Topology,
  { database, cache, dataVolume, domain }: SettingsParts,
): void {
  const { paths, logs, redis } = namesOf(config.name)
  const { id, region } = config.account
  const set = (path: string, values: Partial<Record<string, string>>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) continue
      const folder = path.slice(paths.root.length + 1).replaceAll('/', '-')
      new SsmParameter(scope, `${folder}-${name.toLowerCase().replaceAll('_', '-')}`, {
        name: `${path}/${name}`,
        type: 'String',
        value,
      })
    }
  }

  set(paths.app, {
    AWS_REGION: region,
    ECR_REGISTRY: `${id}.dkr.ecr.${region}.amazonaws.com`,
    DATABASE_HOST: database.host,
    REDIS_SCHEME: cache ? 'rediss' : 'redis',
    REDIS_USERNAME: cache?.username,
    // On a single host REDIS_NAME is a network alias inside Docker (docker-compose.aws.yml).
    REDIS_HOST: cache?.host ?? (topology.redisRole === 'redis' ? redis : REDIS_NAME),
    BACKEND_LOG_GROUP: logs.backend,
    WORKER_LOG_GROUP: logs.worker,
  } satisfies Record<AppParameter, string | undefined>)

  for (const role of topology.roles) {
    const profiles = profilesOf(role).filter((profile) => profile !== 'redis' || topology.redisRole)
    const runsApi = profiles.includes('api')
    const kinds = role === 'app' ? Object.entries(config.workers.kinds) : []
    const servesHttps = profiles.includes('edge') && domain !== undefined
    set(paths.role(role), {
      COMPOSE_PROFILES: profiles.join(','),
      // The files that every release has: a reboot after `apply` starts the release of the host, which can be
      // old. host/render-env.jq of a release adds those for DOMAIN and WORKER_KINDS.
      COMPOSE_FILE: [
        'docker-compose.yml',
        'docker-compose.aws.yml',
        ...(role === 'redis' ? ['docker-compose.hosts.yml'] : []),
      ].join(':'),
      ...workerSettings(role, config),
      WORKER_KINDS: kinds.length > 0 ? JSON.stringify(Object.fromEntries(kinds.map(serviceOf))) : undefined,
      TRUSTED_PROXIES: runsApi ? (config.ingress === 'alb' ? '2' : '1') : undefined,
      DOMAIN: servesHttps ? domain : undefined,
      ACME_EMAIL: servesHttps ? config.account.email : undefined,
      MASTER_SECRET_ARN: runsApi ? database.masterSecretArn : undefined,
      DATA_VOLUME: role === topology.redisRole ? dataVolume : undefined,
    } satisfies Record<RoleParameter, string | undefined>)
  }
}

type WorkerParameter = 'WORKER_CONCURRENCY' | 'WORKER_QUEUES' | 'WORKER_MEMORY' | 'ISOLATED_PROCESSES'
type WorkerSettings = Record<WorkerParameter, string | undefined>

/** Settings of the service `worker` on the hosts of a role. */
function workerSettings(role: Role, { workers }: Config): WorkerSettings {
  if (!profilesOf(role).includes('worker'))
    return {
      WORKER_CONCURRENCY: undefined,
      WORKER_QUEUES: undefined,
      WORKER_MEMORY: undefined,
      ISOLATED_PROCESSES: undefined,
    }
  const kind = Object.entries(workers.kinds).find(([name]) => kindRoleOf(name) === role)?.[1]
  return settingsOfKind(kind ?? { concurrency: workers.concurrency, queues: workers.queues })
}

const settingsOfKind = (kind: Partial<WorkerKind>): WorkerSettings => ({
  WORKER_CONCURRENCY: kind.concurrency?.toString(),
  WORKER_QUEUES: kind.queues?.join(','),
  WORKER_MEMORY: kind.memory,
  ISOLATED_PROCESSES: kind.isolatedProcesses?.toString(),
})

/** The service of a kind in Compose on a single host, without what all kinds share. */
function serviceOf([name, kind]: [string, WorkerKind]): [string, object] {
  const { WORKER_MEMORY, ...environment } = settingsOfKind(kind)
  return [kindRoleOf(name), { environment, mem_limit: WORKER_MEMORY }]
}

// Settings that a host reads when it starts: parameters of its environment and of its role. Terraform writes
// no secrets: scripts/secrets.ts stores those directly under the same paths.
import { SsmParameter } from '@cdktf/provider-aws/lib/ssm-parameter/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import {
  type AppParameter,
  namesOf,
  PROFILES,
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
}

export function createSettings(
  scope: Construct,
  config: Config,
  topology: Topology,
  { database, cache, domain }: SettingsParts,
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
    const profiles = profilesOf(role, topology)
    const servesHttps = profiles.includes('edge') && domain !== undefined
    set(paths.role(role), {
      COMPOSE_PROFILES: profiles.join(','),
      COMPOSE_FILE: [
        'docker-compose.yml',
        'docker-compose.aws.yml',
        ...(servesHttps ? ['docker-compose.https.yml'] : []),
        ...(role === 'redis' ? ['docker-compose.hosts.yml'] : []),
      ].join(':'),
      WORKER_CONCURRENCY: profiles.includes('worker') ? String(config.workers.concurrency) : undefined,
      TRUSTED_PROXIES: profiles.includes('api') ? (config.ingress === 'alb' ? '2' : '1') : undefined,
      DOMAIN: servesHttps ? domain : undefined,
      ACME_EMAIL: servesHttps ? config.account.email : undefined,
      MASTER_SECRET_ARN: profiles.includes('api') ? database.masterSecretArn : undefined,
    } satisfies Record<RoleParameter, string | undefined>)
  }
}

const profilesOf = (role: Role, { redisRole }: Topology): string[] =>
  PROFILES[role].filter((profile) => profile !== 'redis' || redisRole !== undefined)

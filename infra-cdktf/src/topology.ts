// Derives the hosts, and the connections that are allowed between them, from the configuration. Pure.
import type { Config } from './config/schema.ts'
import { isKindRole, kindRoleOf, PORTS, type Role } from './names.ts'

/** Names of the security groups. */
export type Group = Role | 'balancer' | 'database' | 'cache'

export interface Host {
  /** Tag `Host`, and part of the instance's name. */
  name: string
  role: Role
  instanceType: string
  /** Index into the two availability zones. */
  zone: 0 | 1
}

/** An allowed connection: from a group or the internet (`world`) to a group, on one TCP port. */
export interface Connection {
  from: Group | 'world'
  to: Group
  port: number
  description: string
}

export interface Topology {
  /** Excludes workers with workers.scaling: the auto scaling group creates them. */
  hosts: Host[]
  roles: Role[]
  groups: Group[]
  connections: Connection[]
  /** Role that runs the API, the migrations and the queue metrics. */
  apiRole: Role
  /** Roles that run workers. With several hosts each kind of worker has a role of its own. */
  workerRoles: Role[]
  redisRole: Role | undefined
}

/** Derives the topology from the configuration. */
export function topologyOf(config: Config): Topology {
  const isSingle = config.topology === 'single'
  const isRedisOnHost = config.cache.kind === 'container'
  const apiRole: Role = isSingle ? 'app' : 'api'
  const kinds = Object.keys(config.workers.kinds).map(kindRoleOf)
  const workerRoles: Role[] = isSingle ? ['app'] : ['worker', ...kinds]
  const redisRole: Role | undefined = isRedisOnHost ? (isSingle ? 'app' : 'redis') : undefined
  const roles = [...new Set([apiRole, ...workerRoles, ...(redisRole ? [redisRole] : [])])]
  return {
    hosts: roles.flatMap((role) => hostsOf(role, config)),
    roles,
    groups: [
      ...roles,
      'database',
      ...(isRedisOnHost ? [] : (['cache'] as const)),
      ...(config.ingress === 'alb' ? (['balancer'] as const) : []),
    ],
    connections: connectionsOf(config, apiRole, workerRoles, redisRole),
    apiRole,
    workerRoles,
    redisRole,
  }
}

function hostsOf(role: Role, config: Config): Host[] {
  const isAlone = role === 'app' || role === 'redis'
  const { count, instanceType } = sizeOf(role, config)
  return Array.from({ length: count }, (_, index) => ({
    name: isAlone ? role : `${role}-${index + 1}`,
    role,
    instanceType,
    zone: index % 2 === 0 ? 0 : 1,
  }))
}

function sizeOf(role: Role, { api, workers, hosts }: Config): { count: number; instanceType: string } {
  if (isKindRole(role)) {
    const kind = Object.entries(workers.kinds).find(([name]) => kindRoleOf(name) === role)?.[1]
    return { count: kind?.count ?? 0, instanceType: kind?.instanceType ?? hosts.instanceType }
  }
  const count = { app: 1, api: api.count, worker: workers.scaling ? 0 : workers.count, redis: 1 }[role]
  return { count, instanceType: hosts.byRole[role] ?? hosts.instanceType }
}

function connectionsOf(config: Config, api: Role, workers: Role[], redis: Role | undefined): Connection[] {
  const users = [...new Set([api, ...workers])]
  const cache = redis ?? 'cache'
  const entry: Connection[] =
    config.ingress === 'alb'
      ? [
          { from: 'world', to: 'balancer', port: PORTS.https, description: 'The page and the API' },
          { from: 'world', to: 'balancer', port: PORTS.http, description: 'Redirected to HTTPS' },
          { from: 'balancer', to: api, port: PORTS.http, description: 'Requests from the load balancer' },
        ]
      : [
          { from: 'world', to: api, port: PORTS.https, description: 'The page and the API' },
          { from: 'world', to: api, port: PORTS.http, description: 'Redirected to HTTPS; ACME challenges' },
        ]
  return [
    ...entry,
    // On a single host Redis is reachable inside Docker only.
    ...users
      .filter((user) => user !== cache)
      .map(
        (from): Connection => ({
          from,
          to: cache,
          port: PORTS.redis,
          description: 'Task references, signals, rate limits',
        }),
      ),
    ...users.map(
      (from): Connection => ({ from, to: 'database', port: PORTS.postgres, description: 'Tasks' }),
    ),
  ]
}

// Derives the hosts, and the connections that are allowed between them, from the configuration. Pure.
import type { Config } from './config/schema.ts'
import { PORTS, type Role } from './names.ts'

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
export interface Edge {
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
  edges: Edge[]
  /** Role that runs the API, the migrations and the queue metrics. */
  apiRole: Role
  workerRole: Role
  redisRole: Role | undefined
}

/** Derives the topology from the configuration. */
export function topologyOf(config: Config): Topology {
  const isSingle = config.topology === 'single'
  const isRedisOnHost = config.cache.kind === 'container'
  const apiRole: Role = isSingle ? 'app' : 'api'
  const workerRole: Role = isSingle ? 'app' : 'worker'
  const redisRole: Role | undefined = isRedisOnHost ? (isSingle ? 'app' : 'redis') : undefined
  const roles = [...new Set([apiRole, workerRole, ...(redisRole ? [redisRole] : [])])]
  return {
    hosts: roles.flatMap((role) => hostsOf(role, config)),
    roles,
    groups: [
      ...roles,
      'database',
      ...(isRedisOnHost ? [] : (['cache'] as const)),
      ...(config.ingress === 'alb' ? (['balancer'] as const) : []),
    ],
    edges: edgesOf(config, apiRole, workerRole, redisRole),
    apiRole,
    workerRole,
    redisRole,
  }
}

function hostsOf(role: Role, { api, workers, hosts }: Config): Host[] {
  const count = { app: 1, api: api.count, worker: workers.scaling ? 0 : workers.count, redis: 1 }[role]
  const isAlone = role === 'app' || role === 'redis'
  return Array.from({ length: count }, (_, index) => ({
    name: isAlone ? role : `${role}-${index + 1}`,
    role,
    instanceType: hosts.byRole[role] ?? hosts.instanceType,
    zone: index % 2 === 0 ? 0 : 1,
  }))
}

function edgesOf(config: Config, api: Role, worker: Role, redis: Role | undefined): Edge[] {
  const users = [...new Set([api, worker])]
  const cache = redis ?? 'cache'
  const entry: Edge[] =
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
        (from): Edge => ({
          from,
          to: cache,
          port: PORTS.redis,
          description: 'Task references, signals, rate limits',
        }),
      ),
    ...users.map((from): Edge => ({ from, to: 'database', port: PORTS.postgres, description: 'Tasks' })),
  ]
}

// Which hosts there are, and who may speak to whom. Pure: everything else follows from it.
import type { Config } from './config/schema.ts'
import { PORTS, type Role } from './names.ts'

/** Something that has a security group of its own. */
export type Group = Role | 'balancer' | 'database' | 'cache'

export interface Host {
  /** Tag `Host`, and part of the instance's name. */
  name: string
  role: Role
  instanceType: string
  /** Index into the two availability zones. */
  zone: 0 | 1
}

/** From a group, or from the world, to a group, on one TCP port. */
export interface Edge {
  from: Group | 'world'
  to: Group
  port: number
  why: string
}

export interface Topology {
  /** Without workers where they are scaled: an auto scaling group makes those. */
  hosts: Host[]
  roles: Role[]
  groups: Group[]
  edges: Edge[]
  /** Roles that run the API: where migrations and the metrics of the queue come from. */
  apiRole: Role
  workerRole: Role
  redisRole: Role | undefined
}

/** What follows from the configuration alone. */
export function topologyOf(config: Config): Topology {
  const isSingle = config.topology === 'single'
  const isCacheOurs = config.cache.kind === 'container'
  const apiRole: Role = isSingle ? 'app' : 'api'
  const workerRole: Role = isSingle ? 'app' : 'worker'
  const redisRole: Role | undefined = isCacheOurs ? (isSingle ? 'app' : 'redis') : undefined
  const roles = [...new Set([apiRole, workerRole, ...(redisRole ? [redisRole] : [])])]
  return {
    hosts: roles.flatMap((role) => hostsOf(role, config)),
    roles,
    groups: [
      ...roles,
      'database',
      ...(isCacheOurs ? [] : (['cache'] as const)),
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
          { from: 'world', to: 'balancer', port: PORTS.https, why: 'The page and the API' },
          { from: 'world', to: 'balancer', port: PORTS.http, why: 'Is sent on to HTTPS' },
          { from: 'balancer', to: api, port: PORTS.http, why: 'Requests that the balancer passes on' },
        ]
      : [{ from: 'world', to: api, port: PORTS.http, why: 'The page and the API' }]
  return [
    ...entry,
    // On a single host Redis is reached inside Docker only.
    ...users
      .filter((user) => user !== cache)
      .map((from): Edge => ({ from, to: cache, port: PORTS.redis, why: 'Bells, notices, limits' })),
    ...users.map((from): Edge => ({ from, to: 'database', port: PORTS.postgres, why: 'Tasks' })),
  ]
}

// The stack of one environment.
import { TerraformOutput, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { createCache } from '../constructs/data/cache.ts'
import { createDatabase } from '../constructs/data/database.ts'
import { createRollout } from '../constructs/delivery/rollout.ts'
import { createHostRole } from '../constructs/hosts/host-roles.ts'
import { createHosts } from '../constructs/hosts/hosts.ts'
import { createSettings } from '../constructs/hosts/settings.ts'
import { createWorkerScaling } from '../constructs/hosts/worker-scaling.ts'
import { createKeys } from '../constructs/identity/keys.ts'
import { createBalancer } from '../constructs/network/balancer.ts'
import { createPageRecord, createRedisRecord } from '../constructs/network/dns.ts'
import { createNetwork } from '../constructs/network/network.ts'
import { createGroups } from '../constructs/network/security-groups.ts'
import { createAlarms } from '../constructs/observability/alarms.ts'
import { createDashboard } from '../constructs/observability/dashboard.ts'
import { createLogs } from '../constructs/observability/logs.ts'
import { stackOf } from '../names.ts'
import { topologyOf } from '../topology.ts'
import { configureAws, type State } from './aws.ts'

export function createEnvironmentStack(scope: Construct, config: Config, state: State): TerraformStack {
  const stack = new TerraformStack(scope, stackOf(config.name))
  configureAws(stack, { account: config.account, target: config.target, environment: config.name, state })
  const topology = topologyOf(config)
  const keys = createKeys(stack, config)
  const logs = createLogs(stack, config, keys)
  const network = createNetwork(stack, config, logs)
  const groups = createGroups(stack, config, topology, network.vpcId)
  const data = { subnets: network.dataSubnets, keys }
  const database = createDatabase(stack, config, { ...data, group: groups('database'), logs })
  const cache =
    config.cache.kind === 'elasticache'
      ? createCache(stack, config, config.cache.nodeType, { ...data, group: groups('cache') })
      : undefined

  const profiles = new Map(
    topology.roles.map((role) => {
      const masterSecretArn = role === topology.apiRole ? database.masterSecretArn : undefined
      return [role, createHostRole(stack, config, role, { logs, keys, masterSecretArn })]
    }),
  )
  const parts = { network, groups, keys, profiles }
  const hosts = createHosts(stack, config, topology, parts)
  if (config.workers.scaling) createWorkerScaling(stack, config, config.workers.scaling, parts)

  const apiHosts = hosts.filter(({ host }) => host.role === topology.apiRole)
  let address = apiHosts[0]?.publicIp
  if (config.ingress === 'alb' && config.domain) {
    const targets = new Map(apiHosts.map(({ host, instance }) => [host.name, instance.id]))
    createBalancer(stack, config, config.domain, { network, group: groups('balancer'), targets })
  } else if (config.domain && address) {
    createPageRecord(stack, config.domain, address)
  }
  const redis = hosts.find(({ host }) => host.role === 'redis')
  if (redis) createRedisRecord(stack, config, network.vpcId, redis.instance.privateIp)

  if (config.domain) address = config.domain.name
  const domain = config.ingress === 'edge' ? address : undefined
  const dataVolume = hosts.find((host) => host.dataVolume)?.dataVolume
  createSettings(stack, config, topology, { database, cache, dataVolume, domain })
  createRollout(stack, config)
  createAlarms(stack, config, { hosts, database: database.identifier, keys })
  createDashboard(stack, config, hosts, database.identifier)

  new TerraformOutput(stack, 'url', {
    value: `https://${address}`,
    description: 'URL of the page and the API',
  })
  return stack
}

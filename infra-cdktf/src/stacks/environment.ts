// All of one environment, in the order in which it is needed.
import { TerraformOutput, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { createAlarms } from '../constructs/alarms.ts'
import { createBalancer } from '../constructs/balancer.ts'
import { createCache } from '../constructs/cache.ts'
import { createDashboard } from '../constructs/dashboard.ts'
import { createDatabase } from '../constructs/database.ts'
import { nameEdge, nameRedis } from '../constructs/dns.ts'
import { createGroups } from '../constructs/groups.ts'
import { createHostRole } from '../constructs/host-roles.ts'
import { createHosts } from '../constructs/hosts.ts'
import { createKeys } from '../constructs/keys.ts'
import { createLogs } from '../constructs/logs.ts'
import { createNetwork } from '../constructs/network.ts'
import { createRollout } from '../constructs/rollout.ts'
import { createSettings } from '../constructs/settings.ts'
import { createWorkerScaling } from '../constructs/worker-scaling.ts'
import { stackOf } from '../names.ts'
import { topologyOf } from '../topology.ts'
import { type State, useAws } from './aws.ts'

export function createEnvironmentStack(scope: Construct, config: Config, state: State): TerraformStack {
  const stack = new TerraformStack(scope, stackOf(config.name))
  useAws(stack, { account: config.account, target: config.target, environment: config.name, state })
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

  const entries = hosts.filter(({ host }) => host.role === topology.apiRole)
  let address = entries[0]?.publicIp
  if (config.ingress === 'alb' && config.domain) {
    const targets = new Map(entries.map(({ host, instance }) => [host.name, instance.id]))
    createBalancer(stack, config, config.domain, { network, group: groups('balancer'), targets })
  } else if (config.domain && address) {
    nameEdge(stack, config.domain, address)
  }
  const redis = hosts.find(({ host }) => host.role === 'redis')
  if (redis) nameRedis(stack, config, network.vpcId, redis.instance.privateIp)

  createSettings(stack, config, topology, { database, cache })
  createRollout(stack, config)
  createAlarms(stack, config, { hosts, database: database.identifier, keys })
  createDashboard(stack, config, hosts, database.identifier)

  if (config.domain) address = config.domain.name
  new TerraformOutput(stack, 'url', {
    value: `${config.ingress === 'alb' ? 'https' : 'http'}://${address}`,
    description: 'Where the page and the API are',
  })
  return stack
}

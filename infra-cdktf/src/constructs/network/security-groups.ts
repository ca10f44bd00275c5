// Security groups, with one rule for each allowed connection of the topology. Sources inside the VPC are
// groups, not addresses. No rule opens port 22.
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf, PORTS } from '../../names.ts'
import type { Group, Topology } from '../../topology.ts'

const INTERNET = '0.0.0.0/0'

// SMTP submission with TLS (465) and STARTTLS (587). AWS blocks outbound port 25.
const MAIL_PORTS = [465, 587]

export type Groups = (group: Group) => string

export function createGroups(scope: Construct, config: Config, topology: Topology, vpcId: string): Groups {
  const { prefix } = namesOf(config.name)
  const groups = new Map(
    topology.groups.map((group) => [
      group,
      new SecurityGroup(scope, `${group}-group`, {
        // A generated suffix, so that a replacement can exist while the old group is still in use.
        namePrefix: `${prefix}-${group}-`,
        description: `${prefix}: ${group}`,
        vpcId,
        tags: { Name: `${prefix}-${group}` },
        lifecycle: { createBeforeDestroy: true },
      }),
    ]),
  )
  const idOf: Groups = (group) => {
    const found = groups.get(group)
    if (!found) throw new Error(`The topology has no group "${group}"`)
    return found.id
  }

  for (const { from, to, port, description } of topology.connections) {
    const rule = { ipProtocol: 'tcp', fromPort: port, toPort: port, description }
    new VpcSecurityGroupIngressRule(scope, `${from}-into-${to}-${port}`, {
      securityGroupId: idOf(to),
      ...(from === 'world' ? { cidrIpv4: INTERNET } : { referencedSecurityGroupId: idOf(from) }),
      ...rule,
    })
    if (from === 'world') continue
    new VpcSecurityGroupEgressRule(scope, `${from}-out-to-${to}-${port}`, {
      securityGroupId: idOf(from),
      referencedSecurityGroupId: idOf(to),
      ...rule,
    })
  }
  for (const role of topology.roles) {
    const ports = [PORTS.https, PORTS.http, ...(topology.workerRoles.includes(role) ? MAIL_PORTS : [])]
    for (const port of ports) {
      new VpcSecurityGroupEgressRule(scope, `${role}-out-to-world-${port}`, {
        securityGroupId: idOf(role),
        cidrIpv4: INTERNET,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        description: OUTBOUND_DESCRIPTIONS[port] ?? 'Mail sent by tasks',
      })
    }
  }
  return idOf
}

const OUTBOUND_DESCRIPTIONS: Record<number, string> = {
  [PORTS.https]: 'AWS APIs and HTTPS requests of tasks',
  [PORTS.http]: 'Ubuntu packages',
}

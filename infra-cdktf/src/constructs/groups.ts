// Security groups, and one rule for each edge of the topology. Sources are groups, never addresses; nobody reaches port 22.
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { namesOf, PORTS, ROLES } from '../names.ts'
import type { Group, Topology } from '../topology.ts'

const WORLD = '0.0.0.0/0'

// SMTP with a login, by either kind of TLS; 25 is closed by AWS anyway.
const MAIL_PORTS = [465, 587]

export type Groups = (group: Group) => string

export function createGroups(scope: Construct, config: Config, topology: Topology, vpcId: string): Groups {
  const { prefix } = namesOf(config.name)
  const groups = new Map(
    topology.groups.map((group) => [
      group,
      new SecurityGroup(scope, `${group}-group`, {
        // With a prefix a replacement can stand beside the old one that is still in use.
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

  for (const { from, to, port, why } of topology.edges) {
    const rule = { ipProtocol: 'tcp', fromPort: port, toPort: port, description: why }
    new VpcSecurityGroupIngressRule(scope, `${from}-into-${to}-${port}`, {
      securityGroupId: idOf(to),
      ...(from === 'world' ? { cidrIpv4: WORLD } : { referencedSecurityGroupId: idOf(from) }),
      ...rule,
    })
    if (from === 'world') continue
    new VpcSecurityGroupEgressRule(scope, `${from}-out-to-${to}-${port}`, {
      securityGroupId: idOf(from),
      referencedSecurityGroupId: idOf(to),
      ...rule,
    })
  }
  for (const role of ROLES.filter((role) => groups.has(role))) {
    const ports = [PORTS.https, PORTS.http, ...(role === topology.workerRole ? MAIL_PORTS : [])]
    for (const port of ports) {
      new VpcSecurityGroupEgressRule(scope, `${role}-out-to-world-${port}`, {
        securityGroupId: idOf(role),
        cidrIpv4: WORLD,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        description: OUTWARD[port] ?? 'Mail that tasks send',
      })
    }
  }
  return idOf
}

const OUTWARD: Record<number, string> = {
  [PORTS.https]: 'AWS, and what tasks ask for',
  [PORTS.http]: 'Packages of the system',
}

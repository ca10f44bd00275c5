// Names: Redis by a private one wherever its host is, the page by yours.
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js'
import { Route53Zone } from '@cdktf/provider-aws/lib/route53-zone/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { namesOf, REDIS_NAME, ZONE } from '../names.ts'

/** A host that is replaced changes its address: whoever kept it would speak to nobody. */
export function nameRedis(scope: Construct, config: Config, vpcId: string, address: string): void {
  const zone = new Route53Zone(scope, 'zone', {
    name: ZONE,
    comment: `${namesOf(config.name).prefix}: inside the VPC`,
    vpc: [{ vpcId }],
  })
  new Route53Record(scope, 'redis-name', {
    zoneId: zone.zoneId,
    name: REDIS_NAME,
    type: 'A',
    ttl: 30,
    records: [address],
  })
}

export function nameEdge(scope: Construct, domain: NonNullable<Config['domain']>, address: string): void {
  new Route53Record(scope, 'page-name', {
    zoneId: domain.zoneId,
    name: domain.name,
    type: 'A',
    ttl: 60,
    records: [address],
  })
}

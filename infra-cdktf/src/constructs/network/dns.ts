// DNS records: a private name for the Redis host, and the configured domain for the page.
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js'
import { Route53Zone } from '@cdktf/provider-aws/lib/route53-zone/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf } from '../../names.ts'

/** Creates the private record of Redis. Other hosts use it because a replaced host has a new address. */
export function createRedisRecord(scope: Construct, config: Config, vpcId: string, address: string): void {
  const names = namesOf(config.name)
  const zone = new Route53Zone(scope, 'zone', {
    name: names.zone,
    comment: `${names.prefix}: inside the VPC`,
    vpc: [{ vpcId }],
  })
  new Route53Record(scope, 'redis-name', {
    zoneId: zone.zoneId,
    name: names.redis,
    type: 'A',
    ttl: 30,
    records: [address],
  })
}

/** Points the configured domain to the host that serves the page, without a load balancer. */
export function createPageRecord(
  scope: Construct,
  domain: NonNullable<Config['domain']>,
  address: string,
): void {
  new Route53Record(scope, 'page-name', {
    zoneId: domain.zoneId,
    name: domain.name,
    type: 'A',
    ttl: 60,
    records: [address],
  })
}

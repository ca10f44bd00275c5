// The load balancer: HTTPS with a certificate for the configured domain, in front of all API hosts.
import { AcmCertificate } from '@cdktf/provider-aws/lib/acm-certificate/index.js'
import { AcmCertificateValidation } from '@cdktf/provider-aws/lib/acm-certificate-validation/index.js'
import { Lb } from '@cdktf/provider-aws/lib/lb/index.js'
import { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js'
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js'
import { LbTargetGroupAttachment } from '@cdktf/provider-aws/lib/lb-target-group-attachment/index.js'
import { Route53Record } from '@cdktf/provider-aws/lib/route53-record/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { HEALTH_PATH, namesOf, PORTS } from '../../names.ts'
import type { Network } from './network.ts'

type Domain = NonNullable<Config['domain']>

export interface BalancerParts {
  network: Network
  group: string
  /** Ids of the instances that run nginx and the API, by host name. */
  targets: ReadonlyMap<string, string>
}

export function createBalancer(scope: Construct, config: Config, domain: Domain, parts: BalancerParts): void {
  const { prefix } = namesOf(config.name)
  const balancer = new Lb(scope, 'balancer', {
    name: prefix,
    loadBalancerType: 'application',
    internal: false,
    subnets: parts.network.publicSubnets,
    securityGroups: [parts.group],
    dropInvalidHeaderFields: true,
    desyncMitigationMode: 'strictest',
    enableDeletionProtection: config.name === 'prod',
    // Longer than a request with ?wait= can take.
    idleTimeout: 75,
    dependsOn: [parts.network.gateway],
  })
  const targets = new LbTargetGroup(scope, 'balancer-targets', {
    name: prefix,
    port: PORTS.http,
    protocol: 'HTTP',
    vpcId: parts.network.vpcId,
    targetType: 'instance',
    deregistrationDelay: '30',
    healthCheck: {
      path: HEALTH_PATH,
      matcher: '200',
      interval: 10,
      timeout: 5,
      healthyThreshold: 2,
      unhealthyThreshold: 3,
    },
  })
  for (const [host, targetId] of parts.targets) {
    new LbTargetGroupAttachment(scope, `balancer-to-${host}`, {
      targetGroupArn: targets.arn,
      targetId,
      port: PORTS.http,
    })
  }
  new LbListener(scope, 'balancer-https', {
    loadBalancerArn: balancer.arn,
    port: PORTS.https,
    protocol: 'HTTPS',
    sslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
    certificateArn: certificateOf(scope, domain),
    defaultAction: [{ type: 'forward', targetGroupArn: targets.arn }],
  })
  new LbListener(scope, 'balancer-http', {
    loadBalancerArn: balancer.arn,
    port: PORTS.http,
    protocol: 'HTTP',
    defaultAction: [
      {
        type: 'redirect',
        redirect: { port: String(PORTS.https), protocol: 'HTTPS', statusCode: 'HTTP_301' },
      },
    ],
  })
  new Route53Record(scope, 'page-name', {
    zoneId: domain.zoneId,
    name: domain.name,
    type: 'A',
    alias: { name: balancer.dnsName, zoneId: balancer.zoneId, evaluateTargetHealth: true },
  })
}

/** Requests a certificate and validates it by DNS. @returns its ARN, once the certificate is valid */
function certificateOf(scope: Construct, domain: Domain): string {
  const certificate = new AcmCertificate(scope, 'certificate', {
    domainName: domain.name,
    validationMethod: 'DNS',
    lifecycle: { createBeforeDestroy: true },
  })
  const validation = certificate.domainValidationOptions.get(0)
  const record = new Route53Record(scope, 'certificate-proof', {
    zoneId: domain.zoneId,
    name: validation.resourceRecordName,
    type: validation.resourceRecordType,
    records: [validation.resourceRecordValue],
    ttl: 60,
    allowOverwrite: true,
  })
  return new AcmCertificateValidation(scope, 'certificate-valid', {
    certificateArn: certificate.arn,
    validationRecordFqdns: [record.fqdn],
  }).certificateArn
}

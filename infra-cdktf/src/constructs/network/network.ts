// The VPC: public subnets, private subnets behind NAT gateways if egress is "nat-gateway", and data subnets
// without a route to the internet.
import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group/index.js'
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { FlowLog } from '@cdktf/provider-aws/lib/flow-log/index.js'
import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js'
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway/index.js'
import { Route } from '@cdktf/provider-aws/lib/route/index.js'
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js'
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js'
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js'
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf } from '../../names.ts'
import { FIND_LOG_GROUPS } from '../identity/environment-logs.ts'
import { boundaryArn, policy, trust } from '../identity/policy.ts'
import type { LogGroups } from '../observability/logs.ts'

// y in 10.x.y.0/24, for the first of the two zones. The second zone has y + 1.
const FIRST_RANGE = { public: 0, private: 10, data: 20 }
type Kind = keyof typeof FIRST_RANGE

export type Network = ReturnType<typeof createNetwork>

export function createNetwork(scope: Construct, config: Config, logs: LogGroups) {
  const { prefix } = namesOf(config.name)
  const vpc = new Vpc(scope, 'vpc', {
    cidrBlock: config.vpcCidr,
    enableDnsSupport: true,
    enableDnsHostnames: true,
    tags: { Name: prefix },
  })
  // A resource without an explicit security group gets the default one. Without rules it allows no traffic.
  new DefaultSecurityGroup(scope, 'default-group', { vpcId: vpc.id, tags: { Name: `${prefix}-default` } })
  const gateway = new InternetGateway(scope, 'internet', { vpcId: vpc.id, tags: { Name: prefix } })

  const tables: RouteTable[] = []
  const subnetsOf = (kind: Kind) =>
    ([0, 1] as const).map((zone) => {
      const subnet = new Subnet(scope, `${kind}-${zone}`, {
        vpcId: vpc.id,
        availabilityZone: config.account.region + config.zones[zone],
        cidrBlock: config.vpcCidr.replace('.0.0/16', `.${FIRST_RANGE[kind] + zone}.0/24`),
        mapPublicIpOnLaunch: false,
        tags: { Name: `${prefix}-${kind}-${zone}` },
      })
      const table = new RouteTable(scope, `${kind}-${zone}-routes`, {
        vpcId: vpc.id,
        tags: { Name: `${prefix}-${kind}-${zone}` },
      })
      new RouteTableAssociation(scope, `${kind}-${zone}-has-routes`, {
        subnetId: subnet.id,
        routeTableId: table.id,
      })
      tables.push(table)
      return { subnet, table }
    })

  const publicSubnets = subnetsOf('public')
  for (const [zone, { table }] of publicSubnets.entries()) {
    new Route(scope, `public-${zone}-out`, {
      routeTableId: table.id,
      destinationCidrBlock: '0.0.0.0/0',
      gatewayId: gateway.id,
    })
  }
  const privateSubnets = config.egress === 'nat-gateway' ? subnetsOf('private') : []
  if (privateSubnets.length > 0) {
    const gateways = publicSubnets
      .slice(0, config.availability === 'high' ? 2 : 1)
      .map(({ subnet }, zone) => {
        const address = new Eip(scope, `nat-${zone}-address`, {
          domain: 'vpc',
          tags: { Name: `${prefix}-nat-${zone}` },
        })
        return new NatGateway(scope, `nat-${zone}`, {
          subnetId: subnet.id,
          allocationId: address.id,
          tags: { Name: `${prefix}-nat-${zone}` },
          dependsOn: [gateway],
        })
      })
    for (const [zone, { table }] of privateSubnets.entries()) {
      new Route(scope, `private-${zone}-out`, {
        routeTableId: table.id,
        destinationCidrBlock: '0.0.0.0/0',
        natGatewayId: (gateways[zone] ?? gateways[0])?.id,
      })
    }
  }
  const data = subnetsOf('data')

  // Image layers are stored in S3. This endpoint is free, and their traffic bypasses the NAT gateway.
  new VpcEndpoint(scope, 's3', {
    vpcId: vpc.id,
    serviceName: `com.amazonaws.${config.account.region}.s3`,
    vpcEndpointType: 'Gateway',
    routeTableIds: tables.map(({ id }) => id),
    tags: { Name: `${prefix}-s3` },
  })
  createFlowLog(scope, config, vpc, logs)

  const idsOf = (subnets: { subnet: Subnet }[]) => subnets.map(({ subnet }) => subnet.id)
  return {
    vpcId: vpc.id,
    publicSubnets: idsOf(publicSubnets),
    hostSubnets: idsOf(privateSubnets.length > 0 ? privateSubnets : publicSubnets),
    dataSubnets: idsOf(data),
    gateway,
  }
}

/** Records rejected packets only: recording all packets would cost more than the hosts. */
function createFlowLog(scope: Construct, config: Config, vpc: Vpc, logs: LogGroups): void {
  const { prefix } = namesOf(config.name)
  const role = new IamRole(scope, 'flow-role', {
    name: `${prefix}-flow`,
    assumeRolePolicy: trust('vpc-flow-logs.amazonaws.com', config.account.id),
    permissionsBoundary: boundaryArn(config.account.id, config.name),
  })
  new IamRolePolicy(scope, 'flow-policy', {
    role: role.id,
    name: 'write',
    policy: policy(
      {
        Action: ['logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams'],
        Resource: `${logs.flow.arn}:*`,
      },
      FIND_LOG_GROUPS,
    ),
  })
  new FlowLog(scope, 'flow', {
    vpcId: vpc.id,
    trafficType: 'REJECT',
    logDestinationType: 'cloud-watch-logs',
    logDestination: logs.flow.arn,
    iamRoleArn: role.arn,
    tags: { Name: prefix },
  })
}

// Rules for the network: subnets, security groups, addresses and flow logs.
import { topologyOf } from '../topology.ts'
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { isReferredToBy, resourcesIn, type Stack, type Values } from './stack.ts'

const INGRESS = 'aws_vpc_security_group_ingress_rule'
const EGRESS = 'aws_vpc_security_group_egress_rule'

/** HTTPS for AWS and tasks, HTTP for packages, SMTP for mail of tasks. */
const OUTBOUND_PORTS = [443, 80, 465, 587]

const ingressIn = (stack: Stack) => resourcesIn(stack, INGRESS)

const isForInternet = ({ cidr_ipv4, cidr_ipv6 }: Values) => cidr_ipv4 === '0.0.0.0/0' || cidr_ipv6 === '::/0'
const isForAll = ({ ip_protocol }: Values) => ip_protocol === '-1' || ip_protocol === undefined
const covers = (rule: Values, port: number) =>
  isForAll(rule) || (rule.from_port <= port && port <= rule.to_port)
const isOnePort = (rule: Values, ports: number[]) =>
  rule.ip_protocol === 'tcp' && rule.from_port === rule.to_port && ports.includes(rule.from_port)

/** Whether the rule belongs to the security group of that name. */
const isOf = ({ security_group_id }: Values, group: string) =>
  security_group_id === `\${aws_security_group.${group}-group.id}`

export const networkRules: Rule[] = [
  {
    name: 'subnets do not assign public addresses automatically',
    ids: 'CKV_AWS_130, AWS-0164',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_subnet'),
        ({ map_public_ip_on_launch }) => map_public_ip_on_launch !== true,
      ),
  },
  {
    name: 'no security group opens port 22, and there are no SSH keys',
    ids: 'CKV_AWS_24, AWS-0107; stricter',
    find: (stack) => [
      ...unless(ingressIn(stack), (rule) => !covers(rule, 22)),
      ...resourcesIn(stack, 'aws_key_pair').map(({ address }) => address),
      ...unless(
        resourcesIn(stack, 'aws_instance', 'aws_launch_template'),
        ({ key_name }) => key_name === undefined,
      ),
    ],
  },
  {
    name: 'no security group opens port 3389',
    ids: 'CKV_AWS_25, AWS-0107',
    find: (stack) => unless(ingressIn(stack), (rule) => !covers(rule, 3389)),
  },
  {
    name: 'no security group opens all ports to the internet',
    ids: 'CKV_AWS_277',
    find: (stack) =>
      unless(
        ingressIn(stack),
        (rule) =>
          !isForInternet(rule) || !(isForAll(rule) || (rule.from_port === 0 && rule.to_port === 65_535)),
      ),
  },
  {
    name: 'the internet reaches only ports 80 and 443 of the load balancer or the API host',
    ids: 'CKV_AWS_260',
    find(stack, config) {
      const entry = config.ingress === 'alb' ? 'balancer' : topologyOf(config).apiRole
      return unless(
        ingressIn(stack),
        (rule) => !isForInternet(rule) || (isOf(rule, entry) && isOnePort(rule, [80, 443])),
      )
    },
  },
  {
    name: 'hosts reach the internet on a few ports only, database and cache have no outbound rules',
    ids: 'CKV_AWS_382, AWS-0104 (trivy also forbids 443, which hosts need for AWS)',
    find: (stack) =>
      unless(
        resourcesIn(stack, EGRESS),
        (rule) =>
          !isOf(rule, 'database') &&
          !isOf(rule, 'cache') &&
          (!isForInternet(rule) || isOnePort(rule, OUTBOUND_PORTS)) &&
          !isForAll(rule),
      ),
  },
  {
    name: 'security groups and their rules have a description',
    ids: 'CKV_AWS_23, AWS-0099, AWS-0124',
    find: (stack) =>
      unless(resourcesIn(stack, 'aws_security_group', INGRESS, EGRESS), ({ description }) =>
        Boolean(description),
      ),
  },
  {
    name: 'every security group is used',
    ids: 'CKV2_AWS_5',
    find: (stack) =>
      resourcesIn(stack, 'aws_security_group')
        .filter(
          ({ address }) =>
            !isReferredToBy(
              stack,
              address,
              'aws_instance',
              'aws_launch_template',
              'aws_db_instance',
              'aws_elasticache_replication_group',
              'aws_lb',
            ),
        )
        .map(({ address }) => address),
  },
  {
    name: 'the default security group of the VPC allows no traffic',
    ids: 'CKV2_AWS_12, AWS-0173',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_default_security_group'),
        ({ ingress = [], egress = [] }) => ingress.length === 0 && egress.length === 0,
      ),
      ...vpcsWithout(stack, 'aws_default_security_group'),
    ],
  },
  {
    name: 'the default VPC is not used',
    ids: 'CKV_AWS_148, AWS-0101',
    find: (stack) =>
      resourcesIn(stack, 'aws_default_vpc', 'aws_default_subnet').map(({ address }) => address),
  },
  {
    name: 'flow logs record rejected packets',
    ids: 'CKV2_AWS_11, AWS-0178',
    find: (stack) => [
      ...unless(resourcesIn(stack, 'aws_flow_log'), ({ traffic_type }) =>
        ['REJECT', 'ALL'].includes(traffic_type),
      ),
      ...vpcsWithout(stack, 'aws_flow_log'),
    ],
  },
  {
    name: 'every Elastic IP address is in use',
    ids: 'CKV2_AWS_19',
    find: (stack) =>
      resourcesIn(stack, 'aws_eip')
        .filter(
          ({ address, values }) =>
            !values.instance && !isReferredToBy(stack, address, 'aws_nat_gateway', 'aws_eip_association'),
        )
        .map(({ address }) => address),
  },
  {
    name: 'rules of security groups are separate resources',
    ids: 'no equivalent: inline rules and separate rule resources of one group delete each other',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_security_group'),
        ({ ingress, egress }) => ingress === undefined && egress === undefined,
      ),
      ...resourcesIn(stack, 'aws_security_group_rule').map(({ address }) => address),
    ],
  },
]

const vpcsWithout = (stack: Stack, type: string) =>
  resourcesIn(stack, 'aws_vpc')
    .filter(({ address }) => !isReferredToBy(stack, address, type))
    .map(({ address }) => `${address} without ${type}`)

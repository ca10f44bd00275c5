// The network: who may reach whom.
import { topologyOf } from '../topology.ts'
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { isReferredToBy, resourcesIn, type Stack, type Values } from './stack.ts'

const INGRESS = 'aws_vpc_security_group_ingress_rule'
const EGRESS = 'aws_vpc_security_group_egress_rule'

/** AWS, packages, and mail that tasks send. */
const OUTWARD_PORTS = [443, 80, 465, 587]

const ingressIn = (stack: Stack) => resourcesIn(stack, INGRESS)

const isForWorld = ({ cidr_ipv4, cidr_ipv6 }: Values) => cidr_ipv4 === '0.0.0.0/0' || cidr_ipv6 === '::/0'
const isForAll = ({ ip_protocol }: Values) => ip_protocol === '-1' || ip_protocol === undefined
const covers = (rule: Values, port: number) =>
  isForAll(rule) || (rule.from_port <= port && port <= rule.to_port)
const isOnePort = (rule: Values, ports: number[]) =>
  rule.ip_protocol === 'tcp' && rule.from_port === rule.to_port && ports.includes(rule.from_port)

/** Whether it belongs to the security group of that name. */
const isOf = ({ security_group_id }: Values, group: string) =>
  security_group_id === `\${aws_security_group.${group}-group.id}`

export const networkRules: Rule[] = [
  {
    name: 'subnets give nobody a public address by themselves',
    ids: 'CKV_AWS_130, AWS-0164',
    find: (stack) =>
      unless(
        resourcesIn(stack, 'aws_subnet'),
        ({ map_public_ip_on_launch }) => map_public_ip_on_launch !== true,
      ),
  },
  {
    name: 'nobody reaches port 22, and there are no keys for it',
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
    name: 'nobody reaches port 3389',
    ids: 'CKV_AWS_25, AWS-0107',
    find: (stack) => unless(ingressIn(stack), (rule) => !covers(rule, 3389)),
  },
  {
    name: 'the world does not reach all ports of anything',
    ids: 'CKV_AWS_277',
    find: (stack) =>
      unless(
        ingressIn(stack),
        (rule) => !isForWorld(rule) || !(isForAll(rule) || (rule.from_port === 0 && rule.to_port === 65_535)),
      ),
  },
  {
    name: 'the world reaches 80 and 443 of the entry only',
    ids: 'CKV_AWS_260',
    find(stack, config) {
      const entry = config.ingress === 'alb' ? 'balancer' : topologyOf(config).apiRole
      return unless(
        ingressIn(stack),
        (rule) => !isForWorld(rule) || (isOf(rule, entry) && isOnePort(rule, [80, 443])),
      )
    },
  },
  {
    name: 'hosts reach the world by a few ports, database and cache not at all',
    ids: 'CKV_AWS_382, AWS-0104 (trivy also wants no 443: hosts need AWS)',
    find: (stack) =>
      unless(
        resourcesIn(stack, EGRESS),
        (rule) =>
          !isOf(rule, 'database') &&
          !isOf(rule, 'cache') &&
          (!isForWorld(rule) || isOnePort(rule, OUTWARD_PORTS)) &&
          !isForAll(rule),
      ),
  },
  {
    name: 'security groups and rules say what they are for',
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
    name: 'the default security group of a VPC lets nothing through',
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
    name: 'nothing is in the default VPC',
    ids: 'CKV_AWS_148, AWS-0101',
    find: (stack) =>
      resourcesIn(stack, 'aws_default_vpc', 'aws_default_subnet').map(({ address }) => address),
  },
  {
    name: 'refused packets are recorded',
    ids: 'CKV2_AWS_11, AWS-0178',
    find: (stack) => [
      ...unless(resourcesIn(stack, 'aws_flow_log'), ({ traffic_type }) =>
        ['REJECT', 'ALL'].includes(traffic_type),
      ),
      ...vpcsWithout(stack, 'aws_flow_log'),
    ],
  },
  {
    name: 'every public address is in use',
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
    name: 'rules of security groups stand by themselves',
    ids: 'ours: rules within a group and beside it delete one another',
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

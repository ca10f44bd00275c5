// Rules for security groups.
import { topologyOf } from '../topology.ts'
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { resourcesIn, type Stack, type Values } from './stack.ts'

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
    name: 'no security group opens port 22, and there are no SSH keys',
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
    name: 'the internet reaches only ports 80 and 443 of the load balancer or the API host',
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
    name: 'rules of security groups are separate resources',
    find: (stack) => [
      ...unless(
        resourcesIn(stack, 'aws_security_group'),
        ({ ingress, egress }) => ingress === undefined && egress === undefined,
      ),
      ...resourcesIn(stack, 'aws_security_group_rule').map(({ address }) => address),
    ],
  },
]

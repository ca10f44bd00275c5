// Rules for hosts: instances, launch templates, volumes and auto scaling groups.
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, isTrue, type Resource, resourcesIn, type Stack, type Values } from './stack.ts'

const hostsIn = (stack: Stack) => resourcesIn(stack, 'aws_instance', 'aws_launch_template')

export const hostRules: Rule[] = [
  {
    name: 'instance metadata requires IMDSv2',
    ids: 'CKV_AWS_79, AWS-0028, AWS-0130',
    find: (stack) =>
      unless(hostsIn(stack), ({ metadata_options }) => hasAll(metadata_options, 'http_tokens', 'required')),
  },
  {
    name: 'containers cannot reach the instance metadata',
    ids: 'CKV_AWS_341',
    find: (stack) =>
      unless(hostsIn(stack), ({ metadata_options }) =>
        hasAll(metadata_options, 'http_put_response_hop_limit', 1),
      ),
  },
  {
    name: 'disks are encrypted',
    ids: 'CKV_AWS_8, CKV_AWS_3, AWS-0131, AWS-0008, AWS-0026',
    find: (stack) => [
      ...unless(
        hostsIn(stack),
        (values) => disksOf(values).length > 0 && disksOf(values).every((disk) => isTrue(disk.encrypted)),
      ),
      ...unless(resourcesIn(stack, 'aws_ebs_volume'), ({ encrypted }) => isTrue(encrypted)),
    ],
  },
  {
    name: 'hosts in production have detailed monitoring',
    ids: 'CKV_AWS_126 (only in production: it costs 2.10 USD per host and month)',
    find: (stack, { name, hosts }) =>
      name !== 'prod' || hosts.detailedMonitoring === false
        ? []
        : unless(
            hostsIn(stack),
            ({ monitoring }) => monitoring === true || hasAll(monitoring, 'enabled', true),
          ),
  },
  {
    name: 'hosts are EBS-optimized',
    ids: 'CKV_AWS_135',
    find: (stack) => unless(hostsIn(stack), ({ ebs_optimized }) => isTrue(ebs_optimized)),
  },
  {
    name: 'hosts have an instance profile',
    ids: 'CKV2_AWS_41',
    find: (stack) => unless(hostsIn(stack), ({ iam_instance_profile }) => Boolean(iam_instance_profile)),
  },
  {
    name: 'user data contains no secret',
    ids: 'CKV_AWS_46, AWS-0029, AWS-0129',
    find: (stack) => unless(hostsIn(stack), (values) => !SECRET.test(userDataOf(values))),
  },
  {
    name: 'hosts have a public address only with egress "public-ip"',
    ids: 'CKV_AWS_88',
    find: (stack, { egress }) =>
      egress === 'public-ip'
        ? []
        : unless(hostsIn(stack), (values) =>
            [values, ...each(values.network_interfaces)].every(
              (block) => !isTrue(block.associate_public_ip_address),
            ),
          ),
  },
]

export const scalingRules: Rule[] = [
  {
    name: 'auto scaling groups have a launch template, propagated tags and a health check',
    ids: 'CKV_AWS_315, CKV_AWS_153, CKV2_AWS_15 (type ELB only behind a load balancer)',
    find: (stack) =>
      resourcesIn(stack, 'aws_autoscaling_group').flatMap(({ address, values }: Resource) => [
        ...(values.launch_template ? [] : [`${address}: launch template`]),
        ...(each(values.tag).some(({ key, propagate_at_launch }) => key === 'Project' && propagate_at_launch)
          ? []
          : [`${address}: tags`]),
        ...(values.health_check_type === (values.target_group_arns ? 'ELB' : 'EC2')
          ? []
          : [`${address}: health check`]),
      ]),
  },
]

/** Matches AWS access keys, private keys, URLs with a password, and assignments to names like password. */
export const SECRET =
  /AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|whsec_[A-Za-z0-9+/]{20}|wgl_[A-Za-z0-9_-]{20}|:\/\/[^/\s:@$]*:[^/\s@$<]{4,}@|(password|secret|token|api_key)=["']?[A-Za-z0-9+/_-]{8,}/i

const hasAll = (block: unknown, name: string, value: unknown) =>
  each(block).length > 0 && each(block).every((values) => values[name] === value)

const disksOf = ({ root_block_device, ebs_block_device, block_device_mappings }: Values) => [
  ...each(root_block_device),
  ...each(ebs_block_device),
  ...each(block_device_mappings).flatMap(({ ebs }) => each(ebs)),
]

function userDataOf({ user_data = '', user_data_base64 = '' }: Values): string {
  const decoded = [user_data, user_data_base64].map((text) => Buffer.from(text, 'base64').toString())
  return [user_data, ...decoded].join('\n')
}

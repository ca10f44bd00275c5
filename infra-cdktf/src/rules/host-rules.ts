// Hosts: instances, launch templates and what belongs to them.
import type { Rule } from './rule.ts'
import { unless } from './rule.ts'
import { each, isTrue, type Resource, resourcesIn, type Stack, type Values } from './stack.ts'

const hostsIn = (stack: Stack) => resourcesIn(stack, 'aws_instance', 'aws_launch_template')

export const hostRules: Rule[] = [
  {
    name: 'metadata are given by IMDSv2 only',
    ids: 'CKV_AWS_79, AWS-0028, AWS-0130',
    find: (stack) =>
      unless(hostsIn(stack), ({ metadata_options }) => hasAll(metadata_options, 'http_tokens', 'required')),
  },
  {
    name: 'metadata do not reach containers',
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
    name: 'hosts in production are watched minute by minute',
    ids: 'CKV_AWS_126; elsewhere it is not worth its 2.10 USD a host',
    find: (stack, { name, hosts }) =>
      name !== 'prod' || hosts.detailedMonitoring === false
        ? []
        : unless(
            hostsIn(stack),
            ({ monitoring }) => monitoring === true || hasAll(monitoring, 'enabled', true),
          ),
  },
  {
    name: 'hosts have a lane of their own to their disks',
    ids: 'CKV_AWS_135',
    find: (stack) => unless(hostsIn(stack), ({ ebs_optimized }) => isTrue(ebs_optimized)),
  },
  {
    name: 'hosts have a role',
    ids: 'CKV2_AWS_41',
    find: (stack) => unless(hostsIn(stack), ({ iam_instance_profile }) => Boolean(iam_instance_profile)),
  },
  {
    name: 'there is no secret in user data',
    ids: 'CKV_AWS_46, AWS-0029, AWS-0129',
    find: (stack) => unless(hostsIn(stack), (values) => !SECRET.test(userDataOf(values))),
  },
  {
    name: 'hosts have a public address only where that is their way out',
    ids: 'CKV_AWS_88',
    find: (stack, { egress }) =>
      egress === 'public-ip'
        ? []
        : unless(hostsIn(stack), (values) =>
            [values, ...each(values.network_interfaces)].every(
              (place) => !isTrue(place.associate_public_ip_address),
            ),
          ),
  },
]

export const scalingRules: Rule[] = [
  {
    name: 'auto scaling groups have a launch template, tags for their hosts and a way to see who is ill',
    ids: 'CKV_AWS_315, CKV_AWS_153, CKV2_AWS_15 (ELB: where there is a load balancer before them)',
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

/** Keys of AWS, private keys, addresses with a password, and anything that is set to what looks like one. */
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

// What the emulator moto 5.2.5 lacks. All of this exists on AWS, and `terraform validate` and `terraform
// plan` of the real provider check it. Nothing here changes the product: only what the tests apply.
import type { Json } from '../../test/support/layouts.ts'

/** Resources that are left out of an apply, by type, with what the emulator lacks. */
export const MISSING_RESOURCES: Record<string, string> = {
  aws_budgets_budget: 'ListTagsForResource, DescribeSubscribersForNotification',
  aws_elasticache_parameter_group: 'CreateCacheParameterGroup',
  aws_elasticache_replication_group: 'DescribeCacheClusters of the nodes of a group',
  aws_elasticache_subnet_group: 'DeleteCacheSubnetGroup',
  aws_elasticache_user_group: 'CreateUserGroup',
}

/** Arguments that are left out of an apply, by type, with what the emulator lacks. */
const MISSING_ARGUMENTS: Record<string, Record<string, string>> = {
  aws_autoscaling_group: { instance_refresh: 'StartInstanceRefresh' },
  aws_instance: { credit_specification: 'ModifyInstanceCreditSpecification' },
}

/**
 * Attributes that a second plan may change, by type and attribute, with what the emulator returns instead.
 */
export const MISSING_ATTRIBUTES: Record<string, Record<string, string>> = {
  aws_autoscaling_group: {
    capacity_reservation_specification: 'none; AWS returns the preference "default"',
    default_instance_warmup: 'always 0',
    launch_template: 'follows the version of the launch template',
  },
  aws_autoscaling_policy: {
    enabled: 'always false',
    predictive_scaling_configuration: 'an empty one for a policy of another type',
  },
  aws_db_parameter_group: { parameter: 'DescribeDBParameters returns no parameter' },
  aws_instance: {
    vpc_security_group_ids: 'no groups of an instance with a network interface in its request',
  },
  aws_launch_template: {
    default_version: 'follows the tags',
    latest_version: 'follows the tags',
    tag_specifications: 'the tags of the template itself, as those of a resource that it creates',
  },
  aws_s3_bucket: { tags_all: 'ListTagsForResource returns no tag of a bucket' },
  aws_vpc_security_group_egress_rule: {
    description: 'no description of a rule for a group',
    referenced_security_group_id: 'the id of the group with that of the account before it',
  },
  aws_vpc_security_group_ingress_rule: {
    description: 'no description of a rule for a group',
    referenced_security_group_id: 'the id of the group with that of the account before it',
  },
}

/**
 * Returns the stack without the resources that the emulator lacks. References to them become their values.
 */
export function emulated(stack: Json): Json {
  let text = JSON.stringify(stack)
  for (const type of Object.keys(MISSING_RESOURCES)) {
    const references = new RegExp(String.raw`\$\{${type}\.([\w-]+)\.(\w+)\}`, 'g')
    text = text.replace(references, (_, id: string, attribute: string) => {
      return stack.resource[type][id][attribute] ?? 'missing'
    })
  }
  const changed = JSON.parse(text)
  for (const type of Object.keys(MISSING_RESOURCES)) delete changed.resource[type]
  for (const [type, missing] of Object.entries(MISSING_ARGUMENTS))
    for (const values of Object.values<Json>(changed.resource[type] ?? {}))
      for (const name of Object.keys(missing)) delete values[name]
  return changed
}

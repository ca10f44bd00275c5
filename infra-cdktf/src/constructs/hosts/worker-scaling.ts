// Auto scaling group of workers. It targets workers.scaling.backlogPerHost waiting tasks per host.
import { AutoscalingGroup } from '@cdktf/provider-aws/lib/autoscaling-group/index.js'
import { AutoscalingPolicy } from '@cdktf/provider-aws/lib/autoscaling-policy/index.js'
import { LaunchTemplate } from '@cdktf/provider-aws/lib/launch-template/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { METRICS, namesOf } from '../../names.ts'
import { bootstrapUserData, type HostParts, imageParameterOf, instanceSettings, tagsOf } from './hosts.ts'

type Scaling = NonNullable<Config['workers']['scaling']>

export function createWorkerScaling(
  scope: Construct,
  config: Config,
  scaling: Scaling,
  parts: HostParts,
): void {
  const { autoScalingGroup, launchHook, metrics, prefix } = namesOf(config.name)
  const tags = { ...tagsOf(config, 'worker', 'worker'), Name: `${prefix}-worker` }
  const template = new LaunchTemplate(scope, 'workers-template', {
    name: autoScalingGroup,
    description: `${prefix}: workers`,
    ...instanceSettings(config, config.hosts.byRole.worker ?? config.hosts.instanceType),
    ebsOptimized: 'true',
    monitoring: { enabled: config.hosts.detailedMonitoring ?? config.name === 'prod' },
    // EC2 resolves the parameter when it starts a host. An id here would change with every new image of
    // Ubuntu, and each change would replace all workers.
    imageId: `resolve:ssm:${imageParameterOf(config)}`,
    iamInstanceProfile: { name: parts.profiles.get('worker') },
    userData: bootstrapUserData(),
    updateDefaultVersion: true,
    networkInterfaces: [
      {
        associatePublicIpAddress: String(config.egress === 'public-ip'),
        securityGroups: [parts.groups('worker')],
        deleteOnTermination: 'true',
      },
    ],
    blockDeviceMappings: [
      {
        deviceName: '/dev/sda1',
        ebs: {
          volumeType: 'gp3',
          volumeSize: config.hosts.rootGb,
          encrypted: 'true',
          kmsKeyId: parts.keys.storage,
          deleteOnTermination: 'true',
        },
      },
    ],
    tagSpecifications: [
      { resourceType: 'instance', tags },
      { resourceType: 'volume', tags },
      { resourceType: 'network-interface', tags },
    ],
  })
  const group = new AutoscalingGroup(scope, 'workers', {
    name: autoScalingGroup,
    minSize: scaling.min,
    maxSize: scaling.max,
    vpcZoneIdentifier: parts.network.hostSubnets,
    // The binding types the version as a number. At synthesis it is a token that becomes a reference.
    launchTemplate: { id: template.id, version: template.latestVersion as unknown as string },
    // A host that is not prepared within this time, or whose release does not start, is replaced:
    // host/bootstrap.sh reports the end of both.
    initialLifecycleHook: [
      {
        name: launchHook,
        lifecycleTransition: 'autoscaling:EC2_INSTANCE_LAUNCHING',
        heartbeatTimeout: 1_200,
        defaultResult: 'ABANDON',
      },
    ],
    // New hosts are in service only after their release runs. Terraform must not wait for this: the first
    // release may come later.
    waitForCapacityTimeout: '0',
    healthCheckType: 'EC2',
    healthCheckGracePeriod: 300,
    defaultInstanceWarmup: 300,
    terminationPolicies: ['OldestLaunchTemplate', 'OldestInstance'],
    // The scaling policy divides the waiting tasks by this metric.
    enabledMetrics: ['GroupInServiceInstances'],
    instanceRefresh: {
      strategy: 'Rolling',
      preferences: { minHealthyPercentage: 100, maxHealthyPercentage: 200 },
    },
    tag: Object.entries(tags).map(([key, value]) => ({ key, value, propagateAtLaunch: true })),
  })
  new AutoscalingPolicy(scope, 'workers-follow-backlog', {
    name: 'backlog-per-host',
    autoscalingGroupName: group.name,
    policyType: 'TargetTrackingScaling',
    estimatedInstanceWarmup: 300,
    targetTrackingConfiguration: {
      targetValue: scaling.backlogPerHost,
      customizedMetricSpecification: {
        metrics: [
          {
            id: 'waiting',
            label: 'Waiting tasks',
            metricStat: {
              stat: 'Maximum',
              metric: {
                namespace: metrics,
                metricName: METRICS.queueDepth,
                dimensions: [{ name: 'Environment', value: config.name }],
              },
            },
            returnData: false,
          },
          {
            id: 'hosts',
            label: 'Hosts in service',
            metricStat: {
              stat: 'Average',
              metric: {
                namespace: 'AWS/AutoScaling',
                metricName: 'GroupInServiceInstances',
                dimensions: [{ name: 'AutoScalingGroupName', value: group.name }],
              },
            },
            returnData: false,
          },
          { id: 'backlog', label: 'Waiting tasks per host', expression: 'waiting / hosts', returnData: true },
        ],
      },
    },
  })
}

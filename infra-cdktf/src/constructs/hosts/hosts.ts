// EC2 hosts. A host reads its identity from its tags in the instance metadata and its settings from Parameter
// Store, so a change of settings does not replace a host.
import { readFileSync } from 'node:fs'
import { DataAwsSsmParameter } from '@cdktf/provider-aws/lib/data-aws-ssm-parameter/index.js'
import { EbsVolume } from '@cdktf/provider-aws/lib/ebs-volume/index.js'
import { Ec2Tag } from '@cdktf/provider-aws/lib/ec2-tag/index.js'
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { Instance } from '@cdktf/provider-aws/lib/instance/index.js'
import { VolumeAttachment } from '@cdktf/provider-aws/lib/volume-attachment/index.js'
import { DataResource } from 'cdktf'
import type { Construct } from 'constructs'
import type { Config } from '../../config/schema.ts'
import { namesOf, PROJECT, type Role, TAGS } from '../../names.ts'
import type { Host, Topology } from '../../topology.ts'
import type { Keys } from '../identity/keys.ts'
import type { Network } from '../network/network.ts'
import type { Groups } from '../network/security-groups.ts'

// Limit of EC2 for user data, before base64.
const USER_DATA_LIMIT_BYTES = 16_384

export interface HostParts {
  network: Network
  groups: Groups
  keys: Keys
  /** Instance profiles by role. */
  profiles: ReadonlyMap<Role, string>
}

export interface RunningHost {
  host: Host
  instance: Instance
  /** Elastic IP address of hosts that the internet reaches. It stays when the host is replaced. */
  publicIp: string | undefined
  /** Id of the EBS volume with the data of Redis, on the host that runs it. */
  dataVolume: string | undefined
}

export function createHosts(
  scope: Construct,
  config: Config,
  topology: Topology,
  parts: HostParts,
): RunningHost[] {
  const { dataDevice, dataVolume, prefix } = namesOf(config.name)
  // Terraform treats `value` as a secret and hides it in plans.
  const image = new DataAwsSsmParameter(scope, 'image', { name: imageParameterOf(config) }).insecureValue
  const userData = bootstrapUserData()
  const architecture = new DataResource(scope, 'architecture', {
    input: { architecture: config.hosts.architecture },
  })
  return topology.hosts.map((host) => {
    const isEdge = config.ingress === 'edge' && host.role === topology.apiRole
    const subnets = isEdge ? parts.network.publicSubnets : parts.network.hostSubnets
    const instance = new Instance(scope, host.name, {
      ...instanceSettings(config, host.instanceType),
      ami: image,
      subnetId: subnets[host.zone],
      associatePublicIpAddress: config.egress === 'public-ip',
      iamInstanceProfile: parts.profiles.get(host.role),
      vpcSecurityGroupIds: [parts.groups(host.role)],
      userDataBase64: userData,
      userDataReplaceOnChange: false,
      rootBlockDevice: {
        volumeType: 'gp3',
        volumeSize: config.hosts.rootGb,
        encrypted: true,
        kmsKeyId: parts.keys.storage,
        // No tags of its own: the provider reads them back together with its default tags and would change
        // them in every plan.
      },
      tags: { ...tagsOf(config, host.role, host.name), Name: `${prefix}-${host.name}` },
      lifecycle: {
        // A newer image or bootstrap.sh applies to new hosts only and must not restart or replace a running
        // one. A host that was stopped by hand has no public address until it is started again, which must
        // not replace it either.
        ignoreChanges: ['ami', 'user_data_base64', 'associate_public_ip_address'],
        // Another architecture needs another image: with the old one the host would stop and never start.
        replaceTriggeredBy: [`terraform_data.${architecture.friendlyUniqueId}`],
      },
      dependsOn: [parts.network.gateway],
    })
    // Terraform cannot tag the interface with the instance. Without the tag the roles that deploy to other
    // environments could change it.
    new Ec2Tag(scope, `${host.name}-interface`, {
      resourceId: instance.primaryNetworkInterfaceId,
      key: TAGS.environment,
      value: config.name,
    })
    let publicIp: string | undefined
    if (isEdge) {
      // The name does not contain the host, so that the address stays when the topology changes.
      publicIp = new Eip(scope, 'edge-address', {
        domain: 'vpc',
        instance: instance.id,
        tags: { Name: `${prefix}-edge` },
        dependsOn: [parts.network.gateway],
      }).publicIp
    }
    let dataVolumeId: string | undefined
    if (host.role === topology.redisRole && config.cache.kind === 'container') {
      // A separate volume, so that a new host can attach the data of the old one.
      const volume = new EbsVolume(scope, 'redis-data', {
        availabilityZone: config.account.region + config.zones[host.zone],
        type: 'gp3',
        size: config.cache.dataGb,
        encrypted: true,
        kmsKeyId: parts.keys.storage,
        tags: { Name: dataVolume },
      })
      new VolumeAttachment(scope, 'redis-data-attached', {
        deviceName: dataDevice,
        instanceId: instance.id,
        volumeId: volume.id,
        stopInstanceBeforeDetaching: true,
      })
      dataVolumeId = volume.id
    }
    return { host, instance, publicIp, dataVolume: dataVolumeId }
  })
}

/** Tags from which a host reads its identity. */
export const tagsOf = (config: Config, role: Role, host: string): Record<string, string> => ({
  [TAGS.project]: PROJECT,
  [TAGS.environment]: config.name,
  [TAGS.role]: role,
  [TAGS.host]: host,
})

/** Settings that instances and launch templates share. */
export function instanceSettings(config: Config, instanceType: string) {
  const isBurstable = instanceType.startsWith('t')
  return {
    instanceType,
    ebsOptimized: true,
    metadataOptions: {
      httpEndpoint: 'enabled',
      httpTokens: 'required',
      // Containers are one hop further and cannot read the host's credentials. Only the host itself uses AWS.
      httpPutResponseHopLimit: 1,
      instanceMetadataTags: 'enabled',
    },
    monitoring: config.hosts.detailedMonitoring ?? config.name === 'prod',
    // Without CPU credits a host is throttled in dev and costs more elsewhere. An alarm reports low credits.
    ...(isBurstable && {
      creditSpecification: { cpuCredits: config.name === 'dev' ? 'standard' : 'unlimited' },
    }),
  }
}

/**
 * Name of the public parameter with the AMI id of the newest Ubuntu 24.04 for the configured architecture.
 */
export function imageParameterOf({ hosts }: Config): string {
  const architecture = hosts.architecture === 'arm64' ? 'arm64' : 'amd64'
  return `/aws/service/canonical/ubuntu/server/24.04/stable/current/${architecture}/hvm/ebs-gp3/ami-id`
}

/**
 * Returns host/bootstrap.sh in base64. Terraform would interpret ${…} and %{…} in plain text as templates.
 * @throws Error if the script exceeds the limit of EC2
 */
export function bootstrapUserData(): string {
  const script = readFileSync(new URL('../../../host/bootstrap.sh', import.meta.url))
  if (script.length > USER_DATA_LIMIT_BYTES) {
    throw new Error(`host/bootstrap.sh has ${script.length} bytes; EC2 allows ${USER_DATA_LIMIT_BYTES}`)
  }
  return script.toString('base64')
}

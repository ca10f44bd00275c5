// EC2 hosts. What they are is in their tags, which they read from their metadata; everything else comes from SSM, so
// that a change of settings replaces no host.
import { readFileSync } from 'node:fs'
import { DataAwsSsmParameter } from '@cdktf/provider-aws/lib/data-aws-ssm-parameter/index.js'
import { EbsVolume } from '@cdktf/provider-aws/lib/ebs-volume/index.js'
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { Instance } from '@cdktf/provider-aws/lib/instance/index.js'
import { VolumeAttachment } from '@cdktf/provider-aws/lib/volume-attachment/index.js'
import type { Construct } from 'constructs'
import type { Config } from '../config/schema.ts'
import { namesOf, PROJECT, type Role, TAGS } from '../names.ts'
import type { Host, Topology } from '../topology.ts'
import type { Groups } from './groups.ts'
import type { Keys } from './keys.ts'
import type { Network } from './network.ts'

// EC2 takes no more, before base64.
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
  /** Of those that the world reaches: stays when the host is replaced. */
  publicIp: string | undefined
}

export function createHosts(
  scope: Construct,
  config: Config,
  topology: Topology,
  parts: HostParts,
): RunningHost[] {
  const { dataDevice, dataVolume, prefix } = namesOf(config.name)
  const image = imageOf(scope, config)
  const userData = bootstrap()
  return topology.hosts.map((host) => {
    const isEdge = config.ingress === 'edge' && host.role === topology.apiRole
    const subnets = isEdge ? parts.network.publicSubnets : parts.network.hostSubnets
    const instance = new Instance(scope, host.name, {
      ...commonTo(config, host.instanceType),
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
        tags: { ...tagsOf(config, host.role, host.name), Name: `${prefix}-${host.name}` },
      },
      tags: { ...tagsOf(config, host.role, host.name), Name: `${prefix}-${host.name}` },
      lifecycle: {
        // A newer image or bootstrap is for the next host: neither may restart or replace one that runs. And a host that
        // was stopped by hand has no public address until it is started again.
        ignoreChanges: ['ami', 'user_data_base64', 'associate_public_ip_address'],
      },
      dependsOn: [parts.network.gateway],
    })
    let publicIp: string | undefined
    if (isEdge) {
      publicIp = new Eip(scope, `${host.name}-address`, {
        domain: 'vpc',
        instance: instance.id,
        tags: { Name: `${prefix}-${host.name}` },
        dependsOn: [parts.network.gateway],
      }).publicIp
    }
    if (host.role === topology.redisRole && config.cache.kind === 'container') {
      // Apart from the host, so that a new one finds what the old one kept.
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
    }
    return { host, instance, publicIp }
  })
}

/** Tags by which a host knows what it is. */
export const tagsOf = (config: Config, role: Role, host: string): Record<string, string> => ({
  [TAGS.project]: PROJECT,
  [TAGS.environment]: config.name,
  [TAGS.role]: role,
  [TAGS.host]: host,
})

/** What instances and launch templates have in common. */
export function commonTo(config: Config, instanceType: string) {
  const isBurstable = instanceType.startsWith('t')
  return {
    instanceType,
    ebsOptimized: true,
    metadataOptions: {
      httpEndpoint: 'enabled',
      httpTokens: 'required',
      // Containers are one hop further: what needs AWS runs on the host.
      httpPutResponseHopLimit: 1,
      instanceMetadataTags: 'enabled',
    },
    monitoring: config.hosts.detailedMonitoring ?? config.name === 'prod',
    // Beyond its credits a host is slow in dev and costs more elsewhere; an alarm tells in time.
    ...(isBurstable && {
      creditSpecification: { cpuCredits: config.name === 'dev' ? 'standard' : 'unlimited' },
    }),
  }
}

/** The newest Ubuntu 24.04 of the architecture. */
export function imageOf(scope: Construct, { hosts }: Config): string {
  const existing = scope.node.tryFindChild('image')
  if (existing instanceof DataAwsSsmParameter) return existing.insecureValue
  const architecture = hosts.architecture === 'arm64' ? 'arm64' : 'amd64'
  return new DataAwsSsmParameter(scope, 'image', {
    name: `/aws/service/canonical/ubuntu/server/24.04/stable/current/${architecture}/hvm/ebs-gp3/ami-id`,
  }).insecureValue // `value` is taken for a secret, and hides what is planned
}

/**
 * host/bootstrap.sh in base64. As plain text Terraform would take its ${…} and %{…} for templates.
 * @throws when it has become longer than EC2 takes
 */
export function bootstrap(): string {
  const script = readFileSync(new URL('../../host/bootstrap.sh', import.meta.url))
  if (script.length > USER_DATA_LIMIT_BYTES) {
    throw new Error(`host/bootstrap.sh has ${script.length} bytes, and EC2 takes ${USER_DATA_LIMIT_BYTES}`)
  }
  return script.toString('base64')
}

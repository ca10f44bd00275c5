// Finds the hosts of an environment, and the release that each of them has reported.
import { z } from 'zod'
import { type Environment, namesOf, PROJECT, type Role, TAGS } from '../src/names.ts'
import type { Aws } from './aws.ts'

export interface RunningHost {
  id: string
  name: string
  role: string
  /** Public address. */
  address: string | undefined
  privateAddress: string | undefined
  /** Commit that the host has reported as started. */
  tag: string | undefined
}

/** Limit of Parameter Store for the number of parameters that one call deletes. */
const DELETE_LIMIT = 10

const instancesResponse = z.object({
  Reservations: z.array(
    z.object({
      Instances: z.array(
        z.object({
          InstanceId: z.string(),
          PublicIpAddress: z.string().optional(),
          PrivateIpAddress: z.string().optional(),
          Tags: z.array(z.object({ Key: z.string(), Value: z.string() })).default([]),
        }),
      ),
    }),
  ),
})
const parametersResponse = z.object({
  Parameters: z.array(z.object({ Name: z.string(), Value: z.string() })),
})

/** Returns all running hosts of an environment, sorted by name. */
export async function findHosts(aws: Aws, environment: Environment): Promise<RunningHost[]> {
  const [instances, tags] = await Promise.all([
    findInstances(aws, environment, ['pending', 'running']),
    readReports(aws, environment),
  ])
  return instances
    .map(({ InstanceId: id, PublicIpAddress: address, PrivateIpAddress: privateAddress, Tags }) => {
      const tagOf = (key: string) => Tags.find(({ Key }) => Key === key)?.Value ?? ''
      const [name, role] = [tagOf(TAGS.host), tagOf(TAGS.role)]
      return { id, name, role, address, privateAddress, tag: tags.get(id) }
    })
    .sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
}

/** Returns the hosts of one role. */
export const hostsOf = (hosts: RunningHost[], role: Role) => hosts.filter((host) => host.role === role)

/**
 * Deletes the reports of hosts that no longer exist. Stopped hosts still exist. @returns how many it deleted
 */
export async function deleteStaleReports(aws: Aws, environment: Environment): Promise<number> {
  const { ready } = namesOf(environment).paths
  // Read the reports first: a host that starts after this is not among them.
  const reports = await readReports(aws, environment)
  const instances = await findInstances(aws, environment, ['pending', 'running', 'stopping', 'stopped'])
  const existing = new Set(instances.map(({ InstanceId }) => InstanceId))
  const stale = [...reports.keys()].filter((id) => !existing.has(id)).map((id) => `${ready}/${id}`)
  for (let first = 0; first < stale.length; first += DELETE_LIMIT)
    await aws(['ssm', 'delete-parameters', '--names', ...stale.slice(first, first + DELETE_LIMIT)])
  return stale.length
}

async function findInstances(aws: Aws, environment: Environment, states: string[]) {
  const response = await aws(['ec2', 'describe-instances'], {
    Filters: [
      { Name: `tag:${TAGS.project}`, Values: [PROJECT] },
      { Name: `tag:${TAGS.environment}`, Values: [environment] },
      { Name: 'instance-state-name', Values: states },
    ],
  })
  return instancesResponse.parse(response).Reservations.flatMap(({ Instances }) => Instances)
}

/** Returns the reported releases by instance id. */
async function readReports(aws: Aws, environment: Environment): Promise<Map<string, string>> {
  const { ready } = namesOf(environment).paths
  const response = await aws(['ssm', 'get-parameters-by-path', '--path', ready])
  const { Parameters } = parametersResponse.parse(response)
  return new Map(Parameters.map(({ Name, Value }) => [Name.slice(ready.length + 1), Value]))
}

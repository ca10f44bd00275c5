// Finds the hosts of an environment, and runs the rollout document on one host after the other.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { type Environment, namesOf, PROJECT, type Role, TAGS } from '../src/names.ts'
import type { Aws } from './aws.ts'

export interface RunningHost {
  id: string
  name: string
  role: string
  address: string | undefined
  /** Commit that the host has reported as started. */
  tag: string | undefined
}

/** Limit of Run Command for the number of hosts in one command. */
const COMMAND_LIMIT = 50
// A new host must boot and register with Systems Manager first.
const ONLINE_TIMEOUT_MS = 10 * 60_000
/** For one host: pull, start, become healthy, stop old workers. The rollout document has the same timeout. */
const ROLLOUT_TIMEOUT_MS = 15 * 60_000

export interface Polling {
  pollMs: number
}

const instancesResponse = z.object({
  Reservations: z.array(
    z.object({
      Instances: z.array(
        z.object({
          InstanceId: z.string(),
          PublicIpAddress: z.string().optional(),
          Tags: z.array(z.object({ Key: z.string(), Value: z.string() })),
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
  const { ready } = namesOf(environment).paths
  const [instances, parameters] = await Promise.all([
    aws(['ec2', 'describe-instances'], {
      Filters: [
        { Name: `tag:${TAGS.project}`, Values: [PROJECT] },
        { Name: `tag:${TAGS.environment}`, Values: [environment] },
        { Name: 'instance-state-name', Values: ['pending', 'running'] },
      ],
    }),
    aws(['ssm', 'get-parameters-by-path', '--path', ready]),
  ])
  const tags = new Map(
    parametersResponse
      .parse(parameters)
      .Parameters.map(({ Name, Value }) => [Name.slice(ready.length + 1), Value]),
  )
  return instancesResponse
    .parse(instances)
    .Reservations.flatMap(({ Instances }) => Instances)
    .map(({ InstanceId: id, PublicIpAddress: address, Tags }) => {
      const tagOf = (key: string) => Tags.find(({ Key }) => Key === key)?.Value ?? ''
      return { id, name: tagOf(TAGS.host), role: tagOf(TAGS.role), address, tag: tags.get(id) }
    })
    .sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
}

/** Returns the hosts of one role. */
export const hostsOf = (hosts: RunningHost[], role: Role) => hosts.filter((host) => host.role === role)

/**
 * Rolls out a tag on one host after the other. Stops at the first failure; the other hosts are not changed.
 * @throws Error with the last lines of output of the host that failed
 */
export async function rollOutHosts(
  aws: Aws,
  environment: Environment,
  hosts: RunningHost[],
  tag: string,
  { pollMs }: Polling = { pollMs: 5_000 },
): Promise<void> {
  for (let first = 0; first < hosts.length; first += COMMAND_LIMIT) {
    const batch = hosts.slice(first, first + COMMAND_LIMIT)
    await waitUntilOnline(aws, batch, pollMs)
    const command = await sendRollout(aws, environment, batch, tag)
    await waitUntilFinished(aws, batch, command, pollMs)
  }
}

async function waitUntilOnline(aws: Aws, hosts: RunningHost[], pollMs: number): Promise<void> {
  const deadline = Date.now() + ONLINE_TIMEOUT_MS
  for (;;) {
    const response = await aws(['ssm', 'describe-instance-information'], {
      Filters: [{ Key: 'InstanceIds', Values: hosts.map(({ id }) => id) }],
    })
    const online = onlineResponse
      .parse(response)
      .InstanceInformationList.filter(({ PingStatus }) => PingStatus === 'Online')
    const offline = hosts.filter(({ id }) => !online.some(({ InstanceId }) => InstanceId === id))
    if (offline.length === 0) return
    if (Date.now() > deadline) throw new Error(`Systems Manager cannot reach ${namesAndIdsOf(offline)}`)
    await pause(pollMs)
  }
}

const onlineResponse = z.object({
  InstanceInformationList: z.array(z.object({ InstanceId: z.string(), PingStatus: z.string() })),
})

/** Starts the rollout on the hosts. @returns the id of the command */
async function sendRollout(
  aws: Aws,
  environment: Environment,
  hosts: RunningHost[],
  tag: string,
): Promise<string> {
  const { rolloutDocument, logs } = namesOf(environment)
  const response = await aws(['ssm', 'send-command'], {
    DocumentName: rolloutDocument,
    InstanceIds: hosts.map(({ id }) => id),
    Parameters: { tag: [tag] },
    MaxConcurrency: '1',
    MaxErrors: '0',
    // Run Command itself stores only the first 2,500 characters of the output.
    CloudWatchOutputConfig: { CloudWatchOutputEnabled: true, CloudWatchLogGroupName: logs.rollout },
    Comment: `Roll out ${tag}`,
  })
  return z.object({ Command: z.object({ CommandId: z.string() }) }).parse(response).Command.CommandId
}

const invocationsResponse = z.object({
  CommandInvocations: z.array(
    z.object({
      InstanceId: z.string(),
      Status: z.string(),
      CommandPlugins: z.array(z.object({ Output: z.string().optional() })).default([]),
    }),
  ),
})
const UNFINISHED_STATUSES = ['Pending', 'InProgress', 'Delayed', 'Cancelling']

async function waitUntilFinished(
  aws: Aws,
  hosts: RunningHost[],
  command: string,
  pollMs: number,
): Promise<void> {
  const deadline = Date.now() + hosts.length * ROLLOUT_TIMEOUT_MS
  for (;;) {
    const response = await aws(['ssm', 'list-command-invocations', '--command-id', command, '--details'])
    const invocations = invocationsResponse.parse(response).CommandInvocations
    const failed = invocations.find(
      ({ Status }) => Status !== 'Success' && !UNFINISHED_STATUSES.includes(Status),
    )
    if (failed) {
      const name = hosts.find(({ id }) => id === failed.InstanceId)?.name ?? failed.InstanceId
      const output = failed.CommandPlugins.map(({ Output }) => Output ?? '').join('\n')
      throw new Error(`${name}: ${failed.Status}\n${lastLinesOf(output)}`)
    }
    const done = invocations.filter(({ Status }) => Status === 'Success')
    if (done.length === hosts.length) return
    if (Date.now() > deadline) throw new Error(`Command ${command} did not finish on ${namesAndIdsOf(hosts)}`)
    await pause(pollMs)
  }
}

const namesAndIdsOf = (hosts: RunningHost[]) => hosts.map(({ name, id }) => `${name} (${id})`).join(', ')
const lastLinesOf = (text: string) => text.trim().split('\n').slice(-10).join('\n')

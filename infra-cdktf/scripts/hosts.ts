// The hosts of an environment, and how they are told to run something: by Run Command, one after the other.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { type Environment, namesOf, PROJECT, type Role, TAGS } from '../src/names.ts'
import type { Aws } from './aws.ts'

export interface RunningHost {
  id: string
  name: string
  role: string
  address: string | undefined
  /** What it says that it runs. */
  tag: string | undefined
}

/** One command goes to so many hosts at most. */
const COMMAND_LIMIT = 50
// A host that was started just now installs its packages first.
const ONLINE_MS = 10 * 60_000
/** Of one host: pull, start, be healthy, let old workers end. The document has the same limit. */
const ROLLOUT_MS = 15 * 60_000

export interface Pace {
  pollMs: number
}

const instancesAnswer = z.object({
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
const parametersAnswer = z.object({
  Parameters: z.array(z.object({ Name: z.string(), Value: z.string() })),
})

/** All that run, in the order of their names. */
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
    parametersAnswer
      .parse(parameters)
      .Parameters.map(({ Name, Value }) => [Name.slice(ready.length + 1), Value]),
  )
  return instancesAnswer
    .parse(instances)
    .Reservations.flatMap(({ Instances }) => Instances)
    .map(({ InstanceId: id, PublicIpAddress: address, Tags }) => {
      const tagOf = (key: string) => Tags.find(({ Key }) => Key === key)?.Value ?? ''
      return { id, name: tagOf(TAGS.host), role: tagOf(TAGS.role), address, tag: tags.get(id) }
    })
    .sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id))
}

/** Those of one role. */
export const hostsOf = (hosts: RunningHost[], role: Role) => hosts.filter((host) => host.role === role)

/**
 * Takes hosts to the images of a tag, one after the other. The first that fails ends it, and the others stay as they are.
 * @throws Error with the last lines of the host that failed
 */
export async function rollOutHosts(
  aws: Aws,
  environment: Environment,
  hosts: RunningHost[],
  tag: string,
  { pollMs }: Pace = { pollMs: 5_000 },
): Promise<void> {
  for (let first = 0; first < hosts.length; first += COMMAND_LIMIT) {
    const some = hosts.slice(first, first + COMMAND_LIMIT)
    await untilOnline(aws, some, pollMs)
    await untilEnded(aws, some, await send(aws, environment, some, tag), pollMs)
  }
}

async function untilOnline(aws: Aws, hosts: RunningHost[], pollMs: number): Promise<void> {
  const deadline = Date.now() + ONLINE_MS
  for (;;) {
    const answer = await aws(['ssm', 'describe-instance-information'], {
      Filters: [{ Key: 'InstanceIds', Values: hosts.map(({ id }) => id) }],
    })
    const online = onlineAnswer
      .parse(answer)
      .InstanceInformationList.filter(({ PingStatus }) => PingStatus === 'Online')
    const missing = hosts.filter(({ id }) => !online.some(({ InstanceId }) => InstanceId === id))
    if (missing.length === 0) return
    if (Date.now() > deadline) throw new Error(`Systems Manager does not reach ${listed(missing)}`)
    await pause(pollMs)
  }
}

const onlineAnswer = z.object({
  InstanceInformationList: z.array(z.object({ InstanceId: z.string(), PingStatus: z.string() })),
})

async function send(aws: Aws, environment: Environment, hosts: RunningHost[], tag: string): Promise<string> {
  const { rolloutDocument, logs } = namesOf(environment)
  const answer = await aws(['ssm', 'send-command'], {
    DocumentName: rolloutDocument,
    InstanceIds: hosts.map(({ id }) => id),
    Parameters: { tag: [tag] },
    MaxConcurrency: '1',
    MaxErrors: '0',
    // Run Command itself keeps the first 2,500 characters.
    CloudWatchOutputConfig: { CloudWatchOutputEnabled: true, CloudWatchLogGroupName: logs.rollout },
    Comment: `Roll out ${tag}`,
  })
  return z.object({ Command: z.object({ CommandId: z.string() }) }).parse(answer).Command.CommandId
}

const invocationsAnswer = z.object({
  CommandInvocations: z.array(
    z.object({
      InstanceId: z.string(),
      Status: z.string(),
      CommandPlugins: z.array(z.object({ Output: z.string().optional() })).default([]),
    }),
  ),
})
const UNDER_WAY = ['Pending', 'InProgress', 'Delayed', 'Cancelling']

async function untilEnded(aws: Aws, hosts: RunningHost[], command: string, pollMs: number): Promise<void> {
  const deadline = Date.now() + hosts.length * ROLLOUT_MS
  for (;;) {
    const answer = await aws(['ssm', 'list-command-invocations', '--command-id', command, '--details'])
    const invocations = invocationsAnswer.parse(answer).CommandInvocations
    const failed = invocations.find(({ Status }) => Status !== 'Success' && !UNDER_WAY.includes(Status))
    if (failed) {
      const name = hosts.find(({ id }) => id === failed.InstanceId)?.name ?? failed.InstanceId
      const output = failed.CommandPlugins.map(({ Output }) => Output ?? '').join('\n')
      throw new Error(`${name}: ${failed.Status}\n${lastLinesOf(output)}`)
    }
    const done = invocations.filter(({ Status }) => Status === 'Success')
    if (done.length === hosts.length) return
    if (Date.now() > deadline) throw new Error(`The command ${command} has not ended on ${listed(hosts)}`)
    await pause(pollMs)
  }
}

const listed = (hosts: RunningHost[]) => hosts.map(({ name, id }) => `${name} (${id})`).join(', ')
const lastLinesOf = (text: string) => text.trim().split('\n').slice(-10).join('\n')

// Runs documents of Systems Manager on hosts, at most 50 hosts at a time.
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { Aws } from './aws.ts'
import type { RunningHost } from './hosts.ts'

/** Limit of Run Command for the number of hosts in one command. */
const COMMAND_LIMIT = 50

export interface Polling {
  pollMs: number
}

export const POLLING: Polling = { pollMs: 5_000 }

export interface Command {
  document: string
  parameters: Record<string, string[]>
  comment: string
  /**
   * Stops at the first host that fails, and runs on one host at a time. Default: runs on all hosts at once.
   */
  oneByOne?: boolean
  /** Receives the complete output. Run Command itself stores only its beginning. */
  logGroup?: string
  /** Upper limit per host. With `oneByOne` the hosts need it one after the other. */
  timeoutMs: number
  /**
   * Returns those of the given hosts that still exist. With this function, a command on a terminated host
   * counts as ended, with the status `Terminated`. Systems Manager reports it more than an hour later.
   */
  findExisting?: (hosts: RunningHost[]) => Promise<RunningHost[]>
}

export interface Invocation {
  host: RunningHost
  status: string
  output: string
}

const RUNNING_STATUSES = ['InProgress', 'Delayed']
const UNFINISHED_STATUSES = ['Pending', ...RUNNING_STATUSES, 'Cancelling']

/** Calls `work` with at most 50 hosts at a time, one batch after the other. */
export async function inBatches<T>(
  hosts: RunningHost[],
  work: (batch: RunningHost[]) => Promise<T[]>,
): Promise<T[]> {
  const results: T[] = []
  for (let first = 0; first < hosts.length; first += COMMAND_LIMIT)
    results.push(...(await work(hosts.slice(first, first + COMMAND_LIMIT))))
  return results
}

/** Returns the hosts whose agent of Systems Manager is online. */
export async function onlineHosts(aws: Aws, hosts: RunningHost[]): Promise<RunningHost[]> {
  return inBatches(hosts, async (batch) => {
    const response = await aws(['ssm', 'describe-instance-information'], {
      Filters: [{ Key: 'InstanceIds', Values: batch.map(({ id }) => id) }],
    })
    const online = new Set(
      onlineResponse
        .parse(response)
        .InstanceInformationList.filter(({ PingStatus }) => PingStatus === 'Online')
        .map(({ InstanceId }) => InstanceId),
    )
    return batch.filter(({ id }) => online.has(id))
  })
}

const onlineResponse = z.object({
  InstanceInformationList: z.array(z.object({ InstanceId: z.string(), PingStatus: z.string() })),
})

/** Starts a command on at most 50 hosts. @returns its id */
export async function sendCommand(aws: Aws, hosts: RunningHost[], command: Command): Promise<string> {
  const response = await aws(['ssm', 'send-command'], {
    DocumentName: command.document,
    InstanceIds: hosts.map(({ id }) => id),
    Parameters: command.parameters,
    ...(command.oneByOne
      ? { MaxConcurrency: '1', MaxErrors: '0' }
      : { MaxConcurrency: '100%', MaxErrors: '100%' }),
    ...(command.logGroup && {
      CloudWatchOutputConfig: { CloudWatchOutputEnabled: true, CloudWatchLogGroupName: command.logGroup },
    }),
    Comment: command.comment.slice(0, 100),
  })
  return z.object({ Command: z.object({ CommandId: z.string() }) }).parse(response).Command.CommandId
}

/**
 * Waits until a command has ended on all hosts, or with `oneByOne` until it has failed on one.
 * @returns the invocations that have ended. @throws Error after the timeout of the command
 */
export async function waitForCommand(
  aws: Aws,
  hosts: RunningHost[],
  id: string,
  { oneByOne = false, timeoutMs, findExisting }: Command,
  { pollMs }: Polling,
): Promise<Invocation[]> {
  const deadline = Date.now() + (oneByOne ? hosts.length : 1) * timeoutMs
  for (;;) {
    const response = await aws(['ssm', 'list-command-invocations', '--command-id', id, '--details'])
    const started = invocationsResponse
      .parse(response)
      .CommandInvocations.flatMap(({ InstanceId, Status, CommandPlugins }) => {
        const output = CommandPlugins.map(({ Output }) => Output ?? '').join('\n')
        const host = hosts.find((candidate) => candidate.id === InstanceId)
        return host ? [{ host, status: Status, output }] : []
      })
    const ended = started.filter(({ status }) => !UNFINISHED_STATUSES.includes(status))
    if (findExisting) ended.push(...(await terminatedAmong(started, findExisting)))
    const hasFailed = oneByOne && ended.some(({ status }) => status !== 'Success')
    if (hasFailed || ended.length === hosts.length) return ended
    if (Date.now() > deadline) throw new Error(`Command ${id} did not finish on ${namesAndIdsOf(hosts)}`)
    await pause(pollMs)
  }
}

/** Returns the invocations that were running on hosts that no longer exist. */
async function terminatedAmong(
  started: Invocation[],
  findExisting: NonNullable<Command['findExisting']>,
): Promise<Invocation[]> {
  // Pending invocations wait for another host. They do not count as terminated, because the command must not
  // count as failed while that host still runs it.
  const running = started.filter(({ status }) => RUNNING_STATUSES.includes(status))
  const existing = await findExisting(running.map(({ host }) => host))
  return running
    .filter(({ host }) => !existing.includes(host))
    .map((invocation) => ({ ...invocation, status: 'Terminated' }))
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

export const namesAndIdsOf = (hosts: RunningHost[]) =>
  hosts.map(({ name, id }) => `${name} (${id})`).join(', ')

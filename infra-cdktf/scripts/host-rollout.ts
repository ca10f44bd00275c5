// Runs the rollout document on one host after the other.
import { setTimeout as pause } from 'node:timers/promises'
import { type Environment, namesOf } from '../src/names.ts'
import type { Aws } from './aws.ts'
import { findHosts, type RunningHost } from './hosts.ts'
import {
  inBatches,
  namesAndIdsOf,
  onlineHosts,
  POLLING,
  type Polling,
  sendCommand,
  waitForCommand,
} from './run-command.ts'

// A new host must boot and register with Systems Manager first.
const ONLINE_TIMEOUT_MS = 10 * 60_000
/** For one host: pull, start, become healthy, stop old workers. The rollout document has the same timeout. */
const ROLLOUT_TIMEOUT_MS = 15 * 60_000

export interface HostRolloutOptions {
  polling?: Polling
  /** Whether auto scaling can terminate a host during the rollout. Terminated hosts are then ignored. */
  canBeTerminated?: boolean
}

/**
 * Rolls out a tag on one host after the other. Stops at the first failure; the other hosts are not changed.
 * @throws Error with the last lines of output of the host that failed
 */
export async function rollOutHosts(
  aws: Aws,
  environment: Environment,
  hosts: RunningHost[],
  tag: string,
  { polling = POLLING, canBeTerminated = false }: HostRolloutOptions = {},
): Promise<void> {
  const { rolloutDocument, logs } = namesOf(environment)
  const findExisting = canBeTerminated ? existingIn : undefined
  const command = {
    document: rolloutDocument,
    parameters: { tag: [tag] },
    comment: `Roll out ${tag}`,
    oneByOne: true,
    logGroup: logs.rollout,
    timeoutMs: ROLLOUT_TIMEOUT_MS,
    ...(findExisting && { findExisting }),
  }
  await inBatches(hosts, async (batch) => {
    // The command stops at the first host that was terminated. Repeat it for the hosts that are left.
    for (let rest = batch; rest.length > 0; ) {
      rest = await waitUntilOnline(aws, rest, polling, findExisting)
      if (rest.length === 0) break
      rest = await runOn(rest)
    }
    return []
  })

  /** @returns the hosts that are still to be done. @throws Error if a host that still exists has failed */
  async function runOn(batch: RunningHost[]): Promise<RunningHost[]> {
    const id = await sendCommand(aws, batch, command)
    const ended = await waitForCommand(aws, batch, id, command, polling)
    const failed = ended.find(({ status }) => status !== 'Success')
    if (!failed) return []
    const existing = findExisting ? await findExisting(batch) : batch
    if (existing.includes(failed.host))
      throw new Error(`${failed.host.name}: ${failed.status}\n${lastLinesOf(failed.output)}`)
    return existing.filter((host) => !ended.some((invocation) => invocation.host === host))
  }

  async function existingIn(batch: RunningHost[]): Promise<RunningHost[]> {
    if (batch.length === 0) return []
    const found = new Set((await findHosts(aws, environment)).map(({ id }) => id))
    return batch.filter(({ id }) => found.has(id))
  }
}

/** Waits until all hosts that exist are online. @returns these hosts. @throws Error after the timeout */
async function waitUntilOnline(
  aws: Aws,
  hosts: RunningHost[],
  { pollMs }: Polling,
  findExisting: (hosts: RunningHost[]) => Promise<RunningHost[]> = async (all) => all,
): Promise<RunningHost[]> {
  const deadline = Date.now() + ONLINE_TIMEOUT_MS
  for (;;) {
    const online = await onlineHosts(aws, hosts)
    const existing = await findExisting(hosts)
    const offline = existing.filter((host) => !online.includes(host))
    if (offline.length === 0) return existing
    if (Date.now() > deadline) throw new Error(`Systems Manager cannot reach ${namesAndIdsOf(offline)}`)
    await pause(pollMs)
  }
}

const lastLinesOf = (text: string) => text.trim().split('\n').slice(-10).join('\n')

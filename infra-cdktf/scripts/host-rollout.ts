// Runs the rollout document on one host after the other.
import { setTimeout as pause } from 'node:timers/promises'
import { type Environment, namesOf } from '../src/names.ts'
import type { Aws } from './aws.ts'
import type { RunningHost } from './hosts.ts'
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

/**
 * Rolls out a tag on one host after the other. Stops at the first failure; the other hosts are not changed.
 * @throws Error with the last lines of output of the host that failed
 */
export async function rollOutHosts(
  aws: Aws,
  environment: Environment,
  hosts: RunningHost[],
  tag: string,
  polling: Polling = POLLING,
): Promise<void> {
  const { rolloutDocument, logs } = namesOf(environment)
  const command = {
    document: rolloutDocument,
    parameters: { tag: [tag] },
    comment: `Roll out ${tag}`,
    oneByOne: true,
    logGroup: logs.rollout,
    timeoutMs: ROLLOUT_TIMEOUT_MS,
  }
  await inBatches(hosts, async (batch) => {
    await waitUntilOnline(aws, batch, polling)
    const id = await sendCommand(aws, batch, command)
    const ended = await waitForCommand(aws, batch, id, command, polling)
    const failed = ended.find(({ status }) => status !== 'Success')
    if (failed) throw new Error(`${failed.host.name}: ${failed.status}\n${lastLinesOf(failed.output)}`)
    return ended
  })
}

async function waitUntilOnline(aws: Aws, hosts: RunningHost[], { pollMs }: Polling): Promise<void> {
  const deadline = Date.now() + ONLINE_TIMEOUT_MS
  for (;;) {
    const online = await onlineHosts(aws, hosts)
    if (online.length === hosts.length) return
    const offline = hosts.filter((host) => !online.includes(host))
    if (Date.now() > deadline) throw new Error(`Systems Manager cannot reach ${namesAndIdsOf(offline)}`)
    await pause(pollMs)
  }
}

const lastLinesOf = (text: string) => text.trim().split('\n').slice(-10).join('\n')

// Runs a shell command on hosts through Systems Manager, without SSH. It needs the credentials of an
// administrator: the role of the workflows may run the rollout document only.
import { spawnSync } from 'node:child_process'
import { z } from 'zod'
import type { Config } from '../src/config/schema.ts'
import { kindRoleOf, namesOf } from '../src/names.ts'
import type { Aws, AwsInTerminal } from './aws.ts'
import { findHosts, type RunningHost } from './hosts.ts'
import { inBatches, POLLING, type Polling, sendCommand, waitForCommand } from './run-command.ts'

const TIMEOUT_SECONDS = 3_600
const FOLDER = '/opt/waggle/current'

export interface ExecParts {
  aws: Aws
  config: Config
  print(line: string): void
  polling?: Polling
}

export interface ExecOptions {
  /**
   * Service of Compose, e.g. `api`. Without it the command runs on the host as root, in the folder of the
   * release.
   */
  container?: string | undefined
}

/**
 * Runs a command on all hosts of a role, on one host, or on one instance, and prints its output.
 * @returns the exit code: that of the first host on which the command failed, else 0
 */
export async function exec(
  parts: ExecParts,
  target: string,
  command: string,
  { container }: ExecOptions = {},
): Promise<number> {
  const hosts = await hostsMatching(parts, target)
  return runOnHosts(parts, hosts, container ? inContainer(container, command) : command)
}

/** Runs a command as root on hosts. @returns the exit code of the first host on which it failed, else 0 */
export async function runOnHosts(
  { aws, print, polling = POLLING }: ExecParts,
  hosts: RunningHost[],
  command: string,
): Promise<number> {
  const document = {
    document: 'AWS-RunShellScript',
    parameters: {
      // Before the first release the folder does not exist.
      commands: [`cd ${FOLDER} 2> /dev/null || true`, command],
      executionTimeout: [String(TIMEOUT_SECONDS)],
    },
    // Everyone who may list commands can read it.
    comment: 'waggle exec',
    timeoutMs: TIMEOUT_SECONDS * 1_000,
  }
  const codes = await inBatches(hosts, async (batch) => {
    const id = await sendCommand(aws, batch, document)
    await waitForCommand(aws, batch, id, document, polling)
    const results: number[] = []
    for (const host of batch) results.push(await printResult(id, host))
    return results
  })
  return codes.find((code) => code !== 0) ?? 0

  async function printResult(id: string, host: RunningHost): Promise<number> {
    const response = await aws([
      'ssm',
      'get-command-invocation',
      '--command-id',
      id,
      '--instance-id',
      host.id,
    ])
    const result = invocationResponse.parse(response)
    // Systems Manager stores the first 24,000 characters of the output and the first 8,000 of the errors.
    for (const text of [result.StandardOutputContent, result.StandardErrorContent])
      if (text.trim() !== '') print(text.trimEnd())
    const hasRun = result.ResponseCode >= 0
    print(`${host.name} (${host.id}): ${hasRun ? `exit code ${result.ResponseCode}` : result.Status}`)
    return hasRun ? result.ResponseCode : 1
  }
}

const invocationResponse = z.object({
  Status: z.string(),
  /** -1 if the command did not run. */
  ResponseCode: z.int(),
  StandardOutputContent: z.string().default(''),
  StandardErrorContent: z.string().default(''),
})

/** Opens a shell in this terminal, on the host or in a container. @returns the exit code of the session */
export async function openSession(
  parts: ExecParts,
  inTerminal: AwsInTerminal,
  target: string,
  { container }: ExecOptions,
): Promise<number> {
  if (!process.stdin.isTTY) throw new Error('--interactive needs a terminal')
  if (spawnSync('session-manager-plugin', ['--version']).status !== 0)
    throw new Error(
      '--interactive needs the Session Manager plugin of the AWS CLI: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html',
    )
  const [host] = await hostsMatching(parts, target)
  const command = container
    ? `cd ${FOLDER} && sudo docker compose exec ${serviceName(container)} sh`
    : `cd ${FOLDER} 2> /dev/null; sudo -s`
  return inTerminal([
    'ssm',
    'start-session',
    '--target',
    host.id,
    '--document-name',
    'AWS-StartInteractiveCommand',
    '--parameters',
    JSON.stringify({ command: [command] }),
  ])
}

/** @throws Error if no running host has this role, name or instance id */
async function hostsMatching(
  { aws, config }: ExecParts,
  target: string,
): Promise<[RunningHost, ...RunningHost[]]> {
  const hosts = await findHosts(aws, config.name)
  // A single host has the role `app`, which contains all others.
  const contained = ['api', 'worker', 'redis', ...Object.keys(config.workers.kinds).map(kindRoleOf)]
  const wanted = config.topology === 'single' && contained.includes(target) ? 'app' : target
  const [first, ...others] = hosts.filter(({ id, name, role }) => [id, name, role].includes(wanted))
  if (first) return [first, ...others]
  const known = [...new Set(hosts.flatMap(({ name, role }) => [role, name]))].sort()
  const list = known.length > 0 ? `known are ${known.join(', ')}` : 'no host is running'
  throw new Error(`No host of ${namesOf(config.name).prefix} has the role or name "${target}"; ${list}`)
}

const inContainer = (service: string, command: string) =>
  `docker compose exec -T ${serviceName(service)} sh -c '${command.replaceAll("'", `'\\''`)}'`

/** @throws Error unless it is a name, because it becomes part of a shell command */
function serviceName(service: string): string {
  if (/^[a-z][a-z0-9-]*$/.test(service)) return service
  throw new Error(`"${service}" is not a service of Compose, such as api, worker, redis or nginx`)
}

// Command line of the operation of an environment: the command, then the environment.
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { type AwsProject, readConfig } from '../src/config/project.ts'
import type { Config } from '../src/config/schema.ts'
import { topologyOf } from '../src/topology.ts'
import { USAGE } from '../src/usage.ts'
import { assertVersion2, createAws, createAwsInTerminal } from './aws.ts'
import { exec, openSession } from './exec.ts'
import { findHosts, hostsOf, type RunningHost } from './hosts.ts'
import { logArguments } from './logs.ts'
import { checkRestored, restore } from './restore.ts'
import { restoreCurrent, rollBack, rollOut } from './rollout.ts'
import { ROTATABLE, type Rotatable, rotate } from './rotate.ts'
import { initSecrets, readSecret, smokeKeyOf } from './secrets.ts'
import { smoke } from './smoke.ts'
import { showStatus } from './status.ts'
import { switchDatabase } from './switch-database.ts'

const OPTIONS = {
  unfinished: { type: 'boolean' },
  since: { type: 'string', default: '1h' },
  follow: { type: 'boolean', default: false },
  filter: { type: 'string' },
  host: { type: 'string' },
  container: { type: 'string' },
  interactive: { type: 'boolean' },
  snapshot: { type: 'string' },
  time: { type: 'string' },
  check: { type: 'string' },
  switch: { type: 'string' },
} as const

/** @throws Error that explains a wrong use, or why the command has failed */
export async function runOperation(project: AwsProject, args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({ args, allowPositionals: true, options: OPTIONS })
  const [command = '', name = '', first = '', second = ''] = positionals
  const commands: Record<string, () => Promise<unknown>> = {
    'init-secrets': createSecrets,
    rollout: () => rollOut(parts, first),
    rollback: () => (values.unfinished ? restoreCurrent(parts) : rollBack(parts)),
    smoke: async () => runSmokeTest(await findHosts(aws, config.name)),
    status: async () => exitWith((await showStatus(parts)).length > 0 ? 1 : 0),
    logs: async () => {
      const args = logArguments(config, first, values)
      await assertVersion2()
      exitWith(await inTerminal(args))
    },
    exec: async () =>
      exitWith(
        await (values.interactive
          ? openSession(parts, inTerminal, first, values)
          : exec(parts, first, needed(second), values)),
      ),
    restore: restoreDatabase,
    rotate: () => rotate(parts, rotatable(first)),
  }
  const run = commands[command]
  if (!run || !name) throw new Error(USAGE)
  const config = readConfig(project, name)
  const aws = createAws(config.account.region)
  const inTerminal = createAwsInTerminal(config.account.region)
  const parts = {
    aws,
    config,
    print,
    confirm,
    smoke: runSmokeTest,
    now: () => new Date(),
    urlOf: (hosts: RunningHost[]) => urlOf(config, hosts),
  }
  await run()

  async function runSmokeTest(hosts: RunningHost[]): Promise<void> {
    const url = urlOf(config, hosts)
    print(`Smoke test of ${url}`)
    const apiKey = await readSecret(aws, smokeKeyOf(config))
    await smoke(url, { apiKey, task: project.smokeTask }, print)
  }

  async function createSecrets(): Promise<void> {
    const { created, operatorKey } = await initSecrets(aws, config)
    print(
      created.length > 0 ? `Created:\n  ${created.join('\n  ')}` : 'All secrets exist; nothing was changed',
    )
    if (operatorKey) print(`Your API key. It is shown only once and stored nowhere:\n  ${operatorKey}`)
  }

  async function restoreDatabase(): Promise<void> {
    const { snapshot, time, check, switch: restored } = values
    const given = [snapshot, time, check, restored].filter((value) => value !== undefined)
    if (given.length !== 1) throw new Error(USAGE)
    if (snapshot !== undefined) await restore(parts, { snapshot })
    else if (time !== undefined) await restore(parts, { time: timeOf(time) })
    else if (check !== undefined) exitWith(await checkRestored(parts, check))
    else if (restored !== undefined) await switchDatabase(parts, restored)
  }
}

/** @throws Error with the usage for an empty argument */
function needed(argument: string): string {
  if (argument === '') throw new Error(USAGE)
  return argument
}

function rotatable(name: string): Rotatable {
  const found = ROTATABLE.find((known) => known === name)
  if (!found) throw new Error(`"${name}" cannot be rotated: choose ${ROTATABLE.join(' or ')}`)
  return found
}

function timeOf(text: string): Date {
  // Without a time zone the time would depend on this machine.
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$/.test(text))
    throw new Error(`--time ${text}: must be a time in UTC, e.g. 2026-11-30T10:00:00Z`)
  return new Date(text)
}

function exitWith(code: number): void {
  process.exitCode = code
}

/** Asks a person to type a word. Without a terminal the answer is read from standard input. */
async function confirm(question: string, word: string): Promise<boolean> {
  const reader = createInterface({ input: process.stdin, output: process.stdout })
  const answer = await reader.question(`${question}\nType ${word} to continue: `)
  reader.close()
  return answer.trim() === word
}

/** Public URL of the environment. WAGGLE_URL overrides it, for example with a proxy in front of the hosts. */
function urlOf(config: Config, hosts: RunningHost[]): string {
  if (process.env.WAGGLE_URL) return process.env.WAGGLE_URL
  if (config.domain) return `https://${config.domain.name}`
  const address = hostsOf(hosts, topologyOf(config).apiRole).find((host) => host.address)?.address
  if (!address) throw new Error(`No host of ${config.name} has a public address; set WAGGLE_URL`)
  return `https://${address}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

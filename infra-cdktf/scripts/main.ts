// Command line of init-secrets, rollout, rollback and smoke: the command, then the environment.
import { parseArgs } from 'node:util'
import { account } from '../src/config/account.ts'
import { environments } from '../src/config/environments.ts'
import { type Config, parseAccount, parseEnvironment } from '../src/config/schema.ts'
import { ENVIRONMENTS } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { createAws } from './aws.ts'
import { findHosts, hostsOf, type RunningHost } from './hosts.ts'
import { restoreCurrent, rollBack, rollOut } from './rollout.ts'
import { initSecrets, readSecret, smokeKeyOf } from './secrets.ts'
import { smoke } from './smoke.ts'

const NAMES = ENVIRONMENTS.join('|')
const USAGE = `Usage:
  npm run infra:init-secrets -- ${NAMES}           creates missing secrets
  npm run infra:rollout -- ${NAMES} COMMIT         rolls out a commit; rolls back if that fails
  npm run infra:rollback -- ${NAMES}               rolls back to the previous release; with --unfinished, to the current one
  npm run infra:smoke -- ${NAMES}                  runs the smoke test`

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { unfinished: { type: 'boolean', default: false } },
  })
  const [command = '', name = '', tag = ''] = positionals
  if (!['init-secrets', 'rollout', 'rollback', 'smoke'].includes(command) || !name) throw new Error(USAGE)
  const inputs: Record<string, unknown> = environments
  const config = parseEnvironment(name, inputs[name], parseAccount(account))
  const aws = createAws(config.account.region)
  const parts = { aws, config, print, smoke: runSmokeTest }

  if (command === 'rollout') await rollOut(parts, tag)
  else if (command === 'rollback') await (values.unfinished ? restoreCurrent(parts) : rollBack(parts))
  else if (command === 'smoke') await runSmokeTest(await findHosts(aws, config.name))
  else await createSecrets()

  async function runSmokeTest(hosts: RunningHost[]): Promise<void> {
    const url = urlOf(config, hosts)
    print(`Smoke test of ${url}`)
    await smoke(url, await readSecret(aws, smokeKeyOf(config)), print)
  }

  async function createSecrets(): Promise<void> {
    const { created, operatorKey } = await initSecrets(aws, config)
    print(
      created.length > 0 ? `Created:\n  ${created.join('\n  ')}` : 'All secrets exist; nothing was changed',
    )
    if (operatorKey) print(`Your API key. It is shown only once and stored nowhere:\n  ${operatorKey}`)
  }
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

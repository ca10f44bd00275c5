// What is done with an environment that exists: init-secrets, rollout, rollback, smoke. The first argument says which,
// the second is the environment.
import { parseArgs } from 'node:util'
import { account } from '../src/config/account.ts'
import { environments } from '../src/config/environments.ts'
import { type Config, parseAccount, parseEnvironment } from '../src/config/schema.ts'
import { ENVIRONMENTS } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { createAws } from './aws.ts'
import { findHosts, hostsOf, type RunningHost } from './hosts.ts'
import { finish, rollBack, rollOut } from './rollout.ts'
import { initSecrets, readSecret, smokeKeyOf } from './secrets.ts'
import { smoke } from './smoke.ts'

const NAMES = ENVIRONMENTS.join('|')
const USAGE = `Usage:
  npm run infra:init-secrets -- ${NAMES}           makes what is missing of its secrets
  npm run infra:rollout -- ${NAMES} COMMIT         takes it to the images of a commit, or back when that fails
  npm run infra:rollback -- ${NAMES}               to the release before; with --unfinished, to the current one
  npm run infra:smoke -- ${NAMES}                  asks it whether it does its work`

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
  const parts = { aws, config, say, smoke: askWhetherItWorks }

  if (command === 'rollout') await rollOut(parts, tag)
  else if (command === 'rollback') await (values.unfinished ? finish(parts) : rollBack(parts))
  else if (command === 'smoke') await askWhetherItWorks(await findHosts(aws, config.name))
  else await makeSecrets()

  async function askWhetherItWorks(hosts: RunningHost[]): Promise<void> {
    const url = urlOf(config, hosts)
    say(`Asking ${url}`)
    await smoke(url, await readSecret(aws, smokeKeyOf(config)), say)
  }

  async function makeSecrets(): Promise<void> {
    const { made, operatorKey } = await initSecrets(aws, config)
    say(made.length > 0 ? `Made:\n  ${made.join('\n  ')}` : 'Everything is there already, and stays as it is')
    if (operatorKey) say(`Your API key, which is shown this once and kept nowhere:\n  ${operatorKey}`)
  }
}

/** Where the world reaches it; WAGGLE_URL where something of yours stands before it. */
function urlOf(config: Config, hosts: RunningHost[]): string {
  if (process.env.WAGGLE_URL) return process.env.WAGGLE_URL
  if (config.domain) return `${config.ingress === 'alb' ? 'https' : 'http'}://${config.domain.name}`
  const address = hostsOf(hosts, topologyOf(config).apiRole).find((host) => host.address)?.address
  if (!address) throw new Error(`No host of ${config.name} has a public address; say WAGGLE_URL`)
  return `http://${address}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

// A rollout over all hosts, and back. No host needs Terraform for it, nor a way in.
import type { Config } from '../src/config/schema.ts'
import type { Role } from '../src/names.ts'
import { IMAGE_TAG, namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import type { Aws } from './aws.ts'
import { findHosts, hostsOf, type Pace, type RunningHost, rollOutHosts } from './hosts.ts'
import { readRelease, writeRelease } from './release.ts'

export interface RolloutParts {
  aws: Aws
  config: Config
  say(line: string): void
  /** @throws Error when what runs does not do its work */
  smoke(hosts: RunningHost[]): Promise<void>
  pace?: Pace
}

/**
 * Takes an environment to the images of a tag: Redis' host, which only learns of it; workers, who understand what the
 * old API submits; then the API. A failure anywhere takes everything back to what ran before. Hosts that run the tag
 * already are left alone, unless it is the current release: then all of them read their settings anew.
 * @throws Error when the tag does not run everywhere afterwards
 */
export async function rollOut(parts: RolloutParts, tag: string): Promise<void> {
  const { aws, config, say } = parts
  if (!new RegExp(IMAGE_TAG).test(tag))
    throw new Error(`"${tag}" is not a commit: 7 to 40 hexadecimal digits`)
  const { current } = await readRelease(aws, config.name)
  say(current ? `Rolling out ${tag} over ${current}` : `Rolling out ${tag}, the first release`)
  const { apiRole, workerRole, redisRole } = topologyOf(config)
  // The first time there are no tables yet, which the host of the API makes along with its role in the database. And
  // where only settings have changed, among them may be that role's password.
  const isOther = current !== undefined && current !== tag
  const roles = [redisRole, ...(isOther ? [workerRole, apiRole] : [apiRole, workerRole])]
  try {
    // The same commit again: for settings that have changed, which hosts read anew.
    await takeTo(parts, tag, roles, { isAgain: tag === current })
    await parts.smoke(await findHosts(aws, config.name))
  } catch (error) {
    if (!current) throw error
    say(`${messageOf(error)}\nTaking everything back to ${current}`)
    await finish(parts).catch((second: unknown) => {
      const both = `${messageOf(error)}\nNot everything could be taken back to ${current}: ${messageOf(second)}`
      throw new Error(both, { cause: error })
    })
    throw new Error(`${tag} was taken back, ${current} runs: ${messageOf(error)}`, { cause: error })
  }
  await writeRelease(aws, config.name, tag)
  // Hosts that were started meanwhile have started what was current then.
  await takeTo(parts, tag, roles)
  say(`${tag} runs`)
}

/** Back to what ran before. @throws Error when nothing did, or when it does not run everywhere afterwards */
export async function rollBack(parts: RolloutParts): Promise<void> {
  const { aws, config, say } = parts
  const { current, previous } = await readRelease(aws, config.name)
  if (!previous) throw new Error('There is no release to go back to')
  say(`Rolling back from ${current} to ${previous}`)
  await takeTo(parts, previous, backwards(config))
  await writeRelease(aws, config.name, previous)
  await parts.smoke(await findHosts(aws, config.name))
  say(`${previous} runs`)
}

/** Takes hosts that run something else to the current release: what an interrupted rollout has left. */
export async function finish(parts: RolloutParts): Promise<void> {
  const { current } = await readRelease(parts.aws, parts.config.name)
  if (!current) throw new Error('There is no release yet')
  await takeTo(parts, current, backwards(parts.config))
  parts.say(`${current} runs everywhere`)
}

/** The API first: old workers need not understand what a newer API submits. */
function backwards(config: Config): (Role | undefined)[] {
  const { apiRole, workerRole, redisRole } = topologyOf(config)
  return [apiRole, workerRole, redisRole]
}

/** Those that run something else, role by role. A role without any host at all is a mistake, but for scaled workers. */
async function takeTo(
  { aws, config, say, pace }: RolloutParts,
  tag: string,
  roles: (Role | undefined)[],
  { isAgain = false } = {},
): Promise<void> {
  for (const role of new Set(roles)) {
    if (!role) continue
    const hosts = hostsOf(await findHosts(aws, config.name), role)
    if (hosts.length === 0 && !(role === 'worker' && config.workers.scaling))
      throw new Error(`No host of ${namesOf(config.name).prefix} has the role "${role}": was it applied?`)
    const others = hosts.filter((host) => isAgain || host.tag !== tag)
    if (others.length === 0) continue
    say(`${role}: ${others.map(({ name }) => name).join(', ')}`)
    await rollOutHosts(aws, config.name, others, tag, pace)
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

// Rollout and rollback over all hosts of an environment with Systems Manager, without Terraform or SSH.
import type { Config } from '../src/config/schema.ts'
import type { Role } from '../src/names.ts'
import { IMAGE_TAG, namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import type { Aws } from './aws.ts'
import { rollOutHosts } from './host-rollout.ts'
import { deleteStaleReports, findHosts, hostsOf, type RunningHost } from './hosts.ts'
import { readRelease, writeRelease } from './release.ts'
import type { Polling } from './run-command.ts'

export interface RolloutParts {
  aws: Aws
  config: Config
  print(line: string): void
  /** Smoke test. @throws Error if the running release does not work */
  smoke(hosts: RunningHost[]): Promise<void>
  polling?: Polling
}

/**
 * Rolls out a tag: first the Redis host, whose containers do not change; then workers, which can run tasks of
 * the old API; then the API. In the first rollout, and if the tag is the current release, the API comes
 * before the workers. Any failure rolls all hosts back to the current release. Hosts that already run the tag
 * are skipped. If the tag is the current release, all hosts are included, so that they read changed settings.
 * @throws Error if the tag does not run on all hosts afterwards
 */
export async function rollOut(parts: RolloutParts, tag: string): Promise<void> {
  const { aws, config, print } = parts
  if (!new RegExp(IMAGE_TAG).test(tag))
    throw new Error(`"${tag}" is not a commit: 7 to 40 hexadecimal digits`)
  const { current } = await readRelease(aws, config.name)
  print(current ? `Rolling out ${tag} over ${current}` : `Rolling out ${tag}, the first release`)
  const { apiRole, workerRoles, redisRole } = topologyOf(config)
  // The API host creates the database role and the tables, so it is first in the first rollout. It is also
  // first when only settings have changed: the password of the database role may be among them.
  const isNewVersion = current !== undefined && current !== tag
  const roles = [redisRole, ...(isNewVersion ? [...workerRoles, apiRole] : [apiRole, ...workerRoles])]
  try {
    await rollOutRoles(parts, tag, roles, { isRepeated: tag === current })
    await parts.smoke(await findHosts(aws, config.name))
  } catch (error) {
    // With the current release there is no other version to return to.
    if (!current || current === tag) throw error
    print(`${messageOf(error)}\nRolling all hosts back to ${current}`)
    await restoreCurrent(parts).catch((second: unknown) => {
      const both = `${messageOf(error)}\nThe rollback to ${current} failed: ${messageOf(second)}`
      throw new Error(both, { cause: error })
    })
    throw new Error(`${tag} was rolled back to ${current}: ${messageOf(error)}`, { cause: error })
  }
  await writeRelease(aws, config.name, tag)
  // Hosts that started during the rollout run the release that was current at that time.
  await rollOutRoles(parts, tag, roles)
  // The rollout has succeeded even if this fails, for example without the permission.
  await deleteStaleReports(aws, config.name).catch((error: unknown) =>
    print(`Reports of hosts that no longer exist were not deleted: ${messageOf(error)}`),
  )
  print(`${tag} runs on all hosts`)
}

/** Rolls back to the previous release. @throws Error without one, or if it does not run on all hosts */
export async function rollBack(parts: RolloutParts): Promise<void> {
  const { aws, config, print } = parts
  const { current, previous } = await readRelease(aws, config.name)
  if (!previous) throw new Error('There is no previous release to roll back to')
  print(`Rolling back from ${current} to ${previous}`)
  await rollOutRoles(parts, previous, rollbackOrder(config))
  await writeRelease(aws, config.name, previous)
  await parts.smoke(await findHosts(aws, config.name))
  print(`${previous} runs on all hosts`)
}

/** Returns hosts that run another tag to the current release, for example after an interrupted rollout. */
export async function restoreCurrent(parts: RolloutParts): Promise<void> {
  const { current } = await readRelease(parts.aws, parts.config.name)
  if (!current) throw new Error('There is no release yet')
  await rollOutRoles(parts, current, rollbackOrder(parts.config))
  parts.print(`${current} runs on all hosts`)
}

/** Roles with the API first, because old workers may not be able to run tasks that a newer API submits. */
function rollbackOrder(config: Config): (Role | undefined)[] {
  const { apiRole, workerRoles, redisRole } = topologyOf(config)
  return [apiRole, ...workerRoles, redisRole]
}

/**
 * Rolls out a tag role by role, on hosts that do not run it yet, or on all hosts with `isRepeated`.
 * @throws Error if a role has no host; an auto scaling group of workers may be empty
 */
async function rollOutRoles(
  { aws, config, print, polling }: RolloutParts,
  tag: string,
  roles: (Role | undefined)[],
  { isRepeated = false } = {},
): Promise<void> {
  for (const role of new Set(roles)) {
    if (!role) continue
    const hosts = hostsOf(await findHosts(aws, config.name), role)
    const isScaled = role === 'worker' && config.workers.scaling !== undefined
    if (hosts.length === 0 && !isScaled)
      throw new Error(
        `No host of ${namesOf(config.name).prefix} has the role "${role}"; apply the stack first`,
      )
    const outdated = hosts.filter((host) => isRepeated || host.tag !== tag)
    if (outdated.length === 0) continue
    print(`${role}: ${outdated.map(({ name }) => name).join(', ')}`)
    await rollOutHosts(aws, config.name, outdated, tag, {
      ...(polling && { polling }),
      canBeTerminated: isScaled,
    })
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

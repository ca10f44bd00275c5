// Reads and writes the releases. New hosts start the current release; a rollback uses the previous one.
import { z } from 'zod'
import { type Environment, namesOf } from '../src/names.ts'
import type { Aws } from './aws.ts'

export interface Release {
  current: string | undefined
  previous: string | undefined
}

export async function readRelease(aws: Aws, environment: Environment): Promise<Release> {
  const { releaseCurrent, releasePrevious } = namesOf(environment).paths
  const response = parametersResponse.parse(
    await aws(['ssm', 'get-parameters', '--names', releaseCurrent, releasePrevious]),
  )
  const parameterOf = (name: string) => response.Parameters.find(({ Name }) => Name === name)?.Value
  return { current: parameterOf(releaseCurrent), previous: parameterOf(releasePrevious) }
}

const parametersResponse = z.object({
  Parameters: z.array(z.object({ Name: z.string(), Value: z.string() })),
})

/**
 * Makes a tag the current release and the old one the previous release. Call it only after the tag runs on
 * all hosts: until then new hosts must start the same release as the old ones.
 */
export async function writeRelease(aws: Aws, environment: Environment, tag: string): Promise<void> {
  const { releaseCurrent, releasePrevious } = namesOf(environment).paths
  const { current } = await readRelease(aws, environment)
  if (current === tag) return
  if (current) await put(releasePrevious, current)
  await put(releaseCurrent, tag)

  async function put(Name: string, Value: string) {
    await aws(['ssm', 'put-parameter'], { Name, Value, Type: 'String', Overwrite: true })
  }
}

/** Deletes the current and the previous release. New hosts then start nothing before the next rollout. */
export async function deleteRelease(aws: Aws, environment: Environment): Promise<void> {
  const { releaseCurrent, releasePrevious } = namesOf(environment).paths
  // Parameter Store ignores names that do not exist.
  await aws(['ssm', 'delete-parameters', '--names', releaseCurrent, releasePrevious])
}

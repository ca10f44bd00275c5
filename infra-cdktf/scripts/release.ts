// Which commit runs, and which ran before. New hosts start the current one; a rollback goes to the previous one.
import { z } from 'zod'
import { type Environment, namesOf } from '../src/names.ts'
import type { Aws } from './aws.ts'

export interface Release {
  current: string | undefined
  previous: string | undefined
}

export async function readRelease(aws: Aws, environment: Environment): Promise<Release> {
  const { releaseCurrent, releasePrevious } = namesOf(environment).paths
  const answer = parametersAnswer.parse(
    await aws(['ssm', 'get-parameters', '--names', releaseCurrent, releasePrevious]),
  )
  const parameterOf = (name: string) => answer.Parameters.find(({ Name }) => Name === name)?.Value
  return { current: parameterOf(releaseCurrent), previous: parameterOf(releasePrevious) }
}

const parametersAnswer = z.object({
  Parameters: z.array(z.object({ Name: z.string(), Value: z.string() })),
})

/** Only when the tag runs everywhere: until then new hosts start what the old ones run. */
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

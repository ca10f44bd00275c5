// The schemas of each task definition in the OpenAPI document: input, result, submission and task.
import { z } from 'zod'
import type { TaskDefinition } from '../../definitions/define.ts'
import type { Schema } from '../openapi/operation.ts'
import { submission } from './task-requests.ts'
import { task } from './task-schemas.ts'

/** Returns the schemas of the definitions by their names, for example `ReverseInput`. */
export function schemasOfDefinitions(definitions: readonly TaskDefinition[]): Record<string, Schema> {
  return Object.fromEntries(definitions.flatMap((definition) => Object.entries(schemasOf(definition))))
}

export function refOfDefinition(name: string, part: 'Input' | 'Submission' | 'Task'): Schema {
  return { $ref: `#/components/schemas/${pascalCase(name)}${part}` }
}

function schemasOf({ name, input, output }: TaskDefinition): Record<string, Schema> {
  // Copies, because two definitions may use the same schema object, and an object has one name.
  const ownInput = input.meta({ ...input.meta() })
  const ownOutput = output.meta({ ...output.meta() })
  const result = ownOutput.nullable().meta({ description: 'null until the task has succeeded' })
  const prefix = pascalCase(name)
  return {
    [`${prefix}Input`]: ownInput,
    [`${prefix}Result`]: ownOutput,
    [`${prefix}Submission`]: submission.extend({ input: ownInput }),
    // Complete, and not `Task` with other types by `allOf`: not all generators of clients can merge these.
    [`${prefix}Task`]: task.extend({ name: z.literal(name), input: ownInput, result }),
  }
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|_+)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}

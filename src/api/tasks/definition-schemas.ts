// The schemas of each task definition in the OpenAPI document: input, result, submission and task.
import { z } from 'zod'
import type { TaskDefinition } from '../../definitions/define.ts'
import { MASK, masksOf } from '../../definitions/sensitive.ts'
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
  const masks = masksOf({ input, output })
  const shownInput = masks.input ? maskedSchemaOf(input) : ownInput
  const shownOutput = masks.result ? maskedSchemaOf(output) : ownOutput
  const result = shownOutput.nullable().meta({ description: 'null until the task has succeeded' })
  const prefix = pascalCase(name)
  return {
    [`${prefix}Input`]: ownInput,
    [`${prefix}Result`]: ownOutput,
    [`${prefix}Submission`]: submission.extend({ input: ownInput }),
    // Complete, and not `Task` with other types by `allOf`: not all generators of clients can merge these.
    [`${prefix}Task`]: task.extend({ name: z.literal(name), input: shownInput, result }),
  }
}

/**
 * Returns the schema of values in which the mask may stand in place of sensitive ones. They are not `writeOnly`,
 * because a client with the scope `reveal` can read them.
 */
function maskedSchemaOf(schema: TaskDefinition['input']): z.ZodType {
  const { $schema: _, ...converted } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ jsonSchema }) {
      const { sensitive, ...own } = jsonSchema
      if (sensitive === undefined) return
      for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword]
      if (sensitive !== true) Object.assign(jsonSchema, own)
      else Object.assign(jsonSchema, { anyOf: [own, { const: MASK }], 'x-sensitive': true })
    },
  })
  // References of a recursive schema would point to the wrong place in the document.
  const isRecursive = JSON.stringify(converted).includes('"$ref"')
  return z.unknown().meta(isRecursive ? {} : converted)
}

function pascalCase(name: string): string {
  return name.replace(/(?:^|_+)([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
}

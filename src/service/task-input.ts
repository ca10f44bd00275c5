// Validates the input of a task against the schema of its definition.
import { AppError } from '../base/errors.ts'
import { faultsOf, pointerOf } from '../base/faults.ts'
import { isDeeperThan, MAX_DEPTH } from '../base/json-depth.ts'
import type { TaskDefinition } from '../definitions/define.ts'

/**
 * Returns the parsed input of a task.
 * @param inputPath path of the input in the request body; JSON Pointers of validation errors begin with it
 * @throws AppError `invalid_input`
 */
export function parseInput(definition: TaskDefinition, input: unknown, inputPath: string[]): unknown {
  if (isDeeperThan(MAX_DEPTH, input)) {
    throw new AppError('invalid_input', `Task "${definition.name}": the input is nested too deeply`, {
      faults: [
        { pointer: pointerOf(inputPath), detail: `must not be nested deeper than ${MAX_DEPTH} levels` },
      ],
    })
  }
  const parsed = definition.input.safeParse(input)
  if (parsed.success) return parsed.data
  throw new AppError('invalid_input', `Task "${definition.name}": the input is not valid`, {
    faults: faultsOf(parsed.error, inputPath),
  })
}

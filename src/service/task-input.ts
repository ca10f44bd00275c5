// Validates the input of a task against the schema of its definition.
import { AppError } from '../base/errors.ts'
import { faultsOf, MAX_FAULTS, pointerOf } from '../base/faults.ts'
import { isDeeperThan, MAX_DEPTH } from '../base/json-depth.ts'
import type { TaskDefinition } from '../definitions/define.ts'
import { MASK, masksOf, pathsOfMasks } from '../definitions/sensitive.ts'

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
  if (parsed.success) {
    refuseMasks(definition, parsed.data, inputPath)
    return parsed.data
  }
  throw new AppError('invalid_input', `Task "${definition.name}": the input is not valid`, {
    faults: faultsOf(parsed.error, inputPath),
  })
}

/**
 * Refuses an input that has the mask in place of a sensitive value: it was copied from a response of the API.
 * @throws AppError `invalid_input`
 */
function refuseMasks(definition: TaskDefinition, input: unknown, inputPath: string[]): void {
  const { input: mask } = masksOf(definition)
  if (!mask) return
  const pointers = new Set(pathsOfMasks(mask, input, inputPath).map(pointerOf))
  if (pointers.size === 0) return
  const detail = `must be the sensitive value, not its mask ${MASK}; a replay without an input keeps all values`
  throw new AppError('invalid_input', `Task "${definition.name}": the input is not valid`, {
    faults: [...pointers].slice(0, MAX_FAULTS).map((pointer) => ({ pointer, detail })),
  })
}

// Creates the error for a task id that does not exist.
import { AppError } from '../base/errors.ts'

export function unknownTask(id: string): AppError {
  return new AppError('unknown_task', `There is no task ${id}`)
}

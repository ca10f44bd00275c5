// Creates the error for a task id that does not exist.
import { AppError } from '../base/errors.ts'

/** @param id as the client sent it; the message contains its first 64 characters */
export function unknownTask(id: string): AppError {
  return new AppError('unknown_task', `There is no task ${id.slice(0, 64)}`)
}

// The command `new task`: adds a task to the project.
import type { Environment } from '../config.ts'
import { findConfig } from '../project/load-project.ts'
import { RESERVED_NAMES } from '../tasks/core-definitions.ts'
import { createTask } from '../templates/new-task.ts'
import { UsageError } from './usage-error.ts'

export async function newTask(name: string, environment: Environment): Promise<void> {
  if (RESERVED_NAMES.includes(name))
    throw new UsageError(`The name "${name}" is reserved for a task of Waggle itself`)
  const { written, missing } = createTask(name, findConfig(environment))
  process.stdout.write(`${written.map((path) => `Wrote ${path}\n`).join('')}`)
  process.stdout.write(missing ? `${missing}\n` : `Added the task "${name}" to the configuration\n`)
}

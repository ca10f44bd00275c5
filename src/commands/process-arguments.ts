// The arguments with which a supervisor starts its processes. They are visible in the process list.
import { parseArgs } from 'node:util'

export interface ProcessArguments {
  /** Number of the process, if the command has several processes. */
  number?: number
  /** Id of the worker. */
  worker?: string
  /** Process id of the supervisor. */
  parent?: number
  /** Set for the processes of `dev`, whose API serves the page. */
  dev?: boolean
}

export function toArguments({ number, worker, parent, dev }: ProcessArguments): string[] {
  return [
    ...(number === undefined ? [] : [`--number=${number}`]),
    ...(worker === undefined ? [] : [`--worker=${worker}`]),
    ...(parent === undefined ? [] : [`--parent=${parent}`]),
    ...(dev ? ['--dev'] : []),
  ]
}

export function readArguments(args: string[]): ProcessArguments {
  const { number, worker, parent, dev } = parseArgs({
    args,
    options: {
      number: { type: 'string' },
      worker: { type: 'string' },
      parent: { type: 'string' },
      dev: { type: 'boolean' },
    },
  }).values
  return { number: numberOf(number), worker, parent: numberOf(parent), dev }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

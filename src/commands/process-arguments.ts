// The arguments with which a supervisor starts its processes. They are visible in the process list.
// After an installation, supervisors of the version before start processes of this one: only add arguments.
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
  /** Whether one of its tasks may have ended the worker. */
  crashed?: boolean
}

export function toArguments({ number, worker, parent, dev, crashed }: ProcessArguments): string[] {
  return [
    ...(number === undefined ? [] : [`--number=${number}`]),
    ...(worker === undefined ? [] : [`--worker=${worker}`]),
    ...(parent === undefined ? [] : [`--parent=${parent}`]),
    ...(dev ? ['--dev'] : []),
    ...(crashed ? ['--crashed'] : []),
  ]
}

export function readArguments(args: string[]): ProcessArguments {
  const { number, worker, parent, dev, crashed } = parseArgs({
    args,
    options: {
      number: { type: 'string' },
      worker: { type: 'string' },
      parent: { type: 'string' },
      dev: { type: 'boolean' },
      crashed: { type: 'boolean' },
    },
  }).values
  return { number: numberOf(number), worker, parent: numberOf(parent), dev, crashed }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

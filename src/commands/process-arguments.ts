// The arguments with which a supervisor starts its processes. They are visible in the process list.
import { parseArgs } from 'node:util'

export interface ProcessArguments {
  /** Number of the process, if the command has several processes. */
  number?: number
  /** Id of the worker. */
  worker?: string
  /** Set for the processes of `dev`, whose API serves the page. */
  dev?: boolean
}

export function toArguments({ number, worker, dev }: ProcessArguments): string[] {
  return [
    ...(number === undefined ? [] : [`--number=${number}`]),
    ...(worker === undefined ? [] : [`--worker=${worker}`]),
    ...(dev ? ['--dev'] : []),
  ]
}

export function readArguments(args: string[]): ProcessArguments {
  const { number, worker, dev } = parseArgs({
    args,
    options: { number: { type: 'string' }, worker: { type: 'string' }, dev: { type: 'boolean' } },
  }).values
  return { number: number === undefined ? undefined : Number(number), worker, dev }
}

// The definitions of this bench: the same task, in the process of the worker and in an isolated process.
import { z } from 'zod'
import { defineTask, type TaskDefinition } from '../../src/definitions/define.ts'
import { createRegistry, type Registry } from '../../src/definitions/registry.ts'

const echo = {
  title: 'Returns its input',
  description: 'for the bench',
  input: z.string(),
  output: z.string(),
  example: '',
  run: async (text: string) => text,
}

export function createBenchRegistry(): Registry {
  return createRegistry([
    defineTask({ ...echo, name: 'echo' }) as TaskDefinition,
    defineTask({ ...echo, name: 'isolated_echo', isolate: true }) as TaskDefinition,
  ])
}

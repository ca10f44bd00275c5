// One stack for all container tests; none where there is no Docker engine.
import type { TestProject } from 'vitest/node'
import { hasEngine } from './docker.ts'
import { removeStack, type Stack, startStack } from './stack.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** null where no Docker engine can be had: then every container test is skipped. */
    stack: Stack | null
  }
}

export default async function setup(project: TestProject) {
  if (!hasEngine()) {
    process.stdout.write('There is no Docker engine: the container tests are skipped\n')
    project.provide('stack', null)
    return
  }
  const stack = await startStack()
  project.provide('stack', stack)
  return () => removeStack(stack)
}

// Starts one stack for all container tests, if there is a Docker engine.
import type { TestProject } from 'vitest/node'
import { hasEngine } from './docker.ts'
import { removeStack, type Stack, startStack } from './stack.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** null without a Docker engine: then every container test is skipped. */
    stack: Stack | null
  }
}

export default async function setup(project: TestProject) {
  if (!hasEngine()) {
    process.stdout.write('No Docker engine is available: the container tests are skipped\n')
    project.provide('stack', null)
    return
  }
  const stack = await startStack()
  project.provide('stack', stack)
  return () => removeStack(stack)
}

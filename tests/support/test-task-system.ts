// A system without a worker whose registry has the test definitions, also the isolated ones.
import { createIsolatedDefinitions } from './isolated-definitions.ts'
import { startSystem, type TestSystem } from './system.ts'
import { createTestDefinitions } from './test-definitions.ts'

export function startTestTaskSystem(): Promise<TestSystem> {
  return startSystem({
    worker: false,
    definitions: [...createTestDefinitions(), ...createIsolatedDefinitions()],
  })
}

// `waggle-tasks/testing`, for the tests of a project: `runTask` calls one task, `startTestSystem` runs a whole
// system.
export { type RunOptions, runTask, type TaskRun } from './run-task.ts'
export type { Duration, TestClock } from './test-clock.ts'
export { startTestSystem, type TestSystem, type TestSystemOptions } from './test-system.ts'

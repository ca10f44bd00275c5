// The commands plan and apply. Apply executes the saved plan, so that exactly the reviewed changes happen.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SHARED_STACK } from '../names.ts'
import { dataLossesIn, describeDataLosses } from './data-loss.ts'
import { initialize, prepare, type Stack, type StackOptions } from './stack.ts'

const PLAN = 'plan'

/** Saves the plan in the folder of the stack. @throws Error if the plan would lose data */
export async function plan(name: string, options: StackOptions): Promise<void> {
  const stack = prepare(name, options)
  await initialize(stack)
  await makePlan(stack)
}

/** Applies the saved plan and deletes it. @throws Error without a saved plan, or if it would lose data */
export async function apply(name: string, options: StackOptions): Promise<void> {
  const stack = prepare(name, options)
  if (!existsSync(join(stack.folder, PLAN))) {
    throw new Error(`There is no saved plan of ${name}; run npm run infra:plan -- ${name}`)
  }
  await initialize(stack)
  await applyPlan(stack)
}

/**
 * Applies the shared stack for the first time with a local state, then moves the state to S3: the stack
 * itself creates the bucket. @throws Error for any other stack
 */
export async function applyFirst(name: string, options: StackOptions): Promise<void> {
  if (name !== SHARED_STACK) throw new Error(`--first is only valid for the stack ${SHARED_STACK}`)
  const local = prepare(name, { ...options, state: 'local' })
  await initialize(local)
  await makePlan(local)
  await applyPlan(local)
  await initialize(prepare(name, options), '-migrate-state', '-force-copy')
}

async function makePlan(stack: Stack): Promise<void> {
  rmSync(join(stack.folder, PLAN), { force: true })
  // Pull requests have no permission to write a lock. Terraform refuses to apply a stale plan.
  await stack.terraform.run('plan', '-input=false', '-lock=false', `-out=${PLAN}`)
  await assertNoDataLoss(stack).catch((error: unknown) => {
    rmSync(join(stack.folder, PLAN), { force: true })
    throw error
  })
}

async function applyPlan(stack: Stack): Promise<void> {
  await assertNoDataLoss(stack)
  await stack.terraform.run('apply', '-input=false', PLAN)
  rmSync(join(stack.folder, PLAN))
}

async function assertNoDataLoss({ terraform, config, name }: Stack): Promise<void> {
  const losses = dataLossesIn(
    JSON.parse(await terraform.read('show', '-json', PLAN)),
    name === SHARED_STACK ? [] : config.mayLose,
  )
  if (losses.length > 0) throw new Error(describeDataLosses(losses))
}

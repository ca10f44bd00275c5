// Plans, and applies what was planned: what a reviewer has seen is what happens.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SHARED_STACK } from '../names.ts'
import { messageOf, refusalsIn } from './gate.ts'
import { initialize, prepare, type Stack, type StackOptions } from './stack.ts'

const PLAN = 'plan'

/** Leaves the plan beside the stack, unless it would lose data. */
export async function plan(name: string, options: StackOptions): Promise<void> {
  const stack = prepare(name, options)
  await initialize(stack)
  await makePlan(stack)
}

/** Applies the plan that `plan` has left, once. */
export async function apply(name: string, options: StackOptions): Promise<void> {
  const stack = prepare(name, options)
  if (!existsSync(join(stack.folder, PLAN))) {
    throw new Error(`There is no plan of ${name} yet: npm run infra:plan -- ${name}`)
  }
  await initialize(stack)
  await applyPlan(stack)
}

/** The shared stack for the first time: the bucket for its state is one of the things that it makes. */
export async function applyFirst(name: string, options: StackOptions): Promise<void> {
  if (name !== SHARED_STACK) throw new Error(`Only ${SHARED_STACK} has a first time`)
  const local = prepare(name, { ...options, state: 'local' })
  await initialize(local)
  await makePlan(local)
  await applyPlan(local)
  await initialize(prepare(name, options), '-migrate-state', '-force-copy')
}

async function makePlan(stack: Stack): Promise<void> {
  rmSync(join(stack.folder, PLAN), { force: true })
  // Nothing is locked, because pull requests may only read: a plan that is out of date cannot be applied anyway.
  await stack.terraform.run('plan', '-input=false', '-lock=false', `-out=${PLAN}`)
  await refuseLoss(stack).catch((error: unknown) => {
    rmSync(join(stack.folder, PLAN), { force: true })
    throw error
  })
}

async function applyPlan(stack: Stack): Promise<void> {
  await refuseLoss(stack)
  await stack.terraform.run('apply', '-input=false', PLAN)
  rmSync(join(stack.folder, PLAN))
}

async function refuseLoss({ terraform, config, name }: Stack): Promise<void> {
  const refusals = refusalsIn(
    JSON.parse(await terraform.read('show', '-json', PLAN)),
    name === SHARED_STACK ? [] : config.mayLose,
  )
  if (refusals.length > 0) throw new Error(messageOf(refusals))
}

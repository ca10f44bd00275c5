// The commands plan and apply. Apply executes the saved plan, so that exactly the reviewed changes happen.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SHARED_STACK } from '../names.ts'
import { dataLossesIn, describeDataLosses, type Plan } from './data-loss.ts'
import { digestOf, type PlannedChanges } from './plan-digest.ts'
import { initialize, prepare, type Stack, type StackOptions } from './stack.ts'

const PLAN = 'plan'

export interface PlanOptions {
  /** Shows only addresses and actions: everyone can read the logs of a public repository. */
  isBrief?: boolean
  /** Digest of the plan that was reviewed. */
  expected?: string | undefined
}

/**
 * Saves the plan, and its digest in plan.sha256, in the folder of the stack.
 * @throws Error if the plan would lose data, or has another digest than expected; it is then deleted
 */
export async function plan(name: string, options: StackOptions, planOptions: PlanOptions): Promise<void> {
  const stack = prepare(name, options)
  await initialize(stack)
  await makePlan(stack, planOptions)
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

async function makePlan(stack: Stack, { isBrief = false, expected }: PlanOptions = {}): Promise<void> {
  const { folder, terraform } = stack
  rmSync(join(folder, PLAN), { force: true })
  // Pull requests have no permission to write a lock. Terraform refuses to apply a stale plan.
  const args = ['-input=false', '-lock=false', `-out=${PLAN}`]
  if (isBrief) process.stdout.write(shorten(await terraform.read('plan', '-no-color', ...args)))
  else await terraform.run('plan', ...args)
  try {
    const saved = await readPlan(stack)
    assertNoDataLoss(stack, saved)
    const digest = digestOf(saved)
    if (expected !== undefined && digest !== expected)
      throw new Error(
        'This plan differs from the reviewed one: resources have changed since then. Run the workflow again',
      )
    writeFileSync(join(folder, `${PLAN}.sha256`), `${digest}\n`)
  } catch (error) {
    rmSync(join(folder, PLAN), { force: true })
    throw error
  }
}

/** Keeps the lines of a plan that name a resource and its action, and the summary. */
const shorten = (text: string): string =>
  text
    .split('\n')
    .filter((line) => /^ {2}# |^Plan: |^No changes/.test(line))
    .map((line) => `${line}\n`)
    .join('')

async function applyPlan(stack: Stack): Promise<void> {
  assertNoDataLoss(stack, await readPlan(stack))
  await stack.terraform.run('apply', '-input=false', PLAN)
  rmSync(join(stack.folder, PLAN))
}

const readPlan = async ({ terraform }: Stack): Promise<Plan & PlannedChanges> =>
  JSON.parse(await terraform.read('show', '-json', PLAN))

function assertNoDataLoss({ config, name }: Stack, saved: Plan): void {
  const losses = dataLossesIn(saved, name === SHARED_STACK ? [] : config.mayLose)
  if (losses.length > 0) throw new Error(describeDataLosses(losses))
}

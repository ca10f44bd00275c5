// Creates, changes and destroys every layout with the real AWS provider, against an emulated AWS.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import type { EnvironmentInput } from '../src/config/schema.ts'
import { configOf, type Json, LAYOUTS, type Layout, synthesizeOne } from '../test/support/layouts.ts'
import { emulated, MISSING_ATTRIBUTES } from './support/emulated.ts'
import { startMoto } from './support/moto.ts'
import { hasProvider, terraformFor } from './support/provider.ts'

const moto = hasProvider() ? await startMoto() : undefined
const folders: string[] = []
const table: string[] = []

beforeEach(() => moto?.reset())
afterAll(async () => {
  await moto?.stop()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  process.stdout.write(`\n${table.join('\n')}\n`)
})

interface Change {
  address: string
  type: string
  change: { actions: string[]; before: Json; after: Json }
}

describe.skipIf(!moto)('the real provider', () => {
  test.each(LAYOUTS)('creates, changes and destroys the layout %s', async (layout) => {
    const began = Date.now()
    const { folder, stack } = synthesize(layout, {})
    await run(folder, 'init')
    await run(folder, 'validate')
    const { output } = await run(folder, 'plan')
    expect(output).toContain(`Plan: ${countIn(stack)} to add, 0 to change, 0 to destroy`)

    const applied = emulated(stack)
    write(folder, applied)
    expect((await run(folder, 'apply', '-auto-approve')).output).toContain(`${countIn(applied)} added`)
    expect(differencesIn(await plan(folder))).toEqual([])

    write(folder, emulated(synthesize(layout, LARGER[layout]).stack))
    const resized = await plan(folder)
    expect(changesIn(resized).filter(({ change }) => change.actions.includes('delete'))).toEqual([])
    expect(changesIn(resized).map(({ type }) => type)).toContain('aws_db_instance')
    await run(folder, 'apply', '-auto-approve')
    expect(differencesIn(await plan(folder))).toEqual([])

    const destroyed = await run(folder, 'apply', '-destroy', '-auto-approve')
    expect(destroyed.output).toContain(`${countIn(applied)} destroyed`)
    table.push(
      `${layout}: ${countIn(applied)} of ${countIn(stack)} resources, second plan empty, ${seconds(began)} s`,
    )
  })
})

/** A larger host and database for every layout. */
const LARGER: Record<Layout, Partial<EnvironmentInput>> = {
  single: change('t4g.medium'),
  multi: change('t4g.medium'),
  high: change('t4g.medium'),
}

function change(instanceType: string): Partial<EnvironmentInput> {
  return {
    hosts: { instanceType, architecture: 'arm64', rootGb: 30 },
    database: { instanceClass: 'db.t4g.small', storageGb: 30 },
  }
}

/** Synthesizes a layout of staging for the emulator. */
function synthesize(layout: Layout, changed: Partial<EnvironmentInput>): { folder: string; stack: Json } {
  const { folder, environment } = synthesizeOne({
    ...configOf('staging', layout, changed),
    target: 'emulator',
  })
  folders.push(folder)
  return { folder: join(folder, 'stacks/staging'), stack: environment }
}

const write = (folder: string, stack: Json) =>
  writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(stack))

async function run(folder: string, ...args: string[]) {
  const terraform = moto ? terraformFor(moto) : expect.fail('moto does not run')
  const outcome = await terraform(folder, ...args)
  expect(outcome.code, outcome.output.slice(-5_000)).toBe(0)
  return outcome
}

async function plan(folder: string): Promise<{ resource_changes?: Change[] }> {
  await run(folder, 'plan', '-out=saved')
  return JSON.parse((await run(folder, 'show', '-json', 'saved')).output)
}

const changesIn = ({ resource_changes = [] }: { resource_changes?: Change[] }) =>
  resource_changes.filter(({ change }) => !['no-op', 'read'].includes(change.actions.join()))

/** Returns `address: attribute before -> after` for everything in a plan that the emulator does not explain. */
function differencesIn(planned: { resource_changes?: Change[] }): string[] {
  return changesIn(planned).flatMap(({ address, type, change: { actions, before, after } }) => {
    if (actions.join() !== 'update') return [`${address}: ${actions.join()}`]
    return Object.keys({ ...before, ...after })
      .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
      .filter((name) => MISSING_ATTRIBUTES[type]?.[name] === undefined)
      .map((name) => `${address}: ${name} ${JSON.stringify(before[name])} -> ${JSON.stringify(after[name])}`)
  })
}

const countIn = (stack: Json) =>
  Object.values<Json>(stack.resource).reduce((count, resources) => count + Object.keys(resources).length, 0)

const seconds = (since: number) => Math.round((Date.now() - since) / 1_000)

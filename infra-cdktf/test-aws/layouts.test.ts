// Creates, changes and destroys every layout with the real AWS provider, against an emulated AWS.
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { type EnvironmentInput, parseAccount, parseEnvironment } from '../src/config/schema.ts'
import { account, configOf, type Json, layouts, synthesizeOne } from '../test/support/layouts.ts'
import { emulated, MISSING_ATTRIBUTES } from './support/emulated.ts'
import { type Moto, startMoto } from './support/moto.ts'
import { hasProvider, terraformFor } from './support/provider.ts'
import { programsOf } from './support/tools.ts'

const isReady = hasProvider() && programsOf('aws') !== undefined
const emulators: Moto[] = []
const folders: string[] = []
const table: string[] = []

afterAll(async () => {
  for (const moto of emulators) await moto.stop()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  process.stdout.write(`\n${table.join('\n')}\n`)
})

interface Change {
  address: string
  type: string
  change: { actions: string[]; before: Json; after: Json }
}

const { egress, kms, workers, ...available } = layouts.high
/** The layouts of docs/deploy.md, and one with every option. */
const cases: Record<string, EnvironmentInput> = {
  single: layouts.single,
  multi: layouts.multi,
  'multi, high availability': available,
  'every option': layouts.high,
}

// Up to three run at the same time (maxConcurrency), each with an emulator of its own: the provider mostly
// waits between two requests.
describe.skipIf(!isReady).concurrent('the real provider', () => {
  test.each(Object.keys(cases))('creates, changes and destroys the layout "%s"', async (layout) => {
    const run = await startTerraform()
    const began = Date.now()
    const zone = run.createZone()
    const { folder, stack } = synthesize(layout, zone)
    await run(folder, 'init')
    await run(folder, 'validate')
    const { output } = await run(folder, 'plan')
    expect(output).toContain(`Plan: ${countIn(stack)} to add, 0 to change, 0 to destroy`)

    const applied = emulated(stack)
    write(folder, applied)
    expect((await run(folder, 'apply', '-auto-approve')).output).toContain(`${countIn(applied)} added`)
    expect(differencesIn(await plan(run, folder))).toEqual([])

    write(folder, emulated(synthesize(layout, zone, LARGER).stack))
    const resized = await plan(run, folder)
    expect(changesIn(resized).filter(({ change }) => change.actions.includes('delete'))).toEqual([])
    expect(changesIn(resized).map(({ type }) => type)).toContain('aws_db_instance')
    await run(folder, 'apply', '-auto-approve')
    expect(differencesIn(await plan(run, folder))).toEqual([])

    const destroyed = await run(folder, 'apply', '-destroy', '-auto-approve')
    expect(destroyed.output).toContain(`${countIn(applied)} destroyed`)
    report(layout, applied, stack, began)
  })

  test('creates the shared stack, and destroys it only without the protection of the state', async () => {
    const run = await startTerraform()
    const began = Date.now()
    const { folder, shared } = synthesizeOne({ ...configOf('staging', 'single'), target: 'emulator' })
    folders.push(folder)
    const at = join(folder, 'stacks/shared')
    await run(at, 'init')
    await run(at, 'validate')
    const applied = emulated(shared)
    write(at, applied)
    expect((await run(at, 'apply', '-auto-approve')).output).toContain(`${countIn(applied)} added`)
    expect(differencesIn(await plan(run, at))).toEqual([])

    const refused = await run.unchecked(at, 'apply', '-destroy', '-auto-approve')
    expect(refused.output).toContain('aws_s3_bucket.state has lifecycle.prevent_destroy set')
    const unprotected = structuredClone(applied)
    delete unprotected.resource.aws_s3_bucket.state.lifecycle
    write(at, unprotected)
    const destroyed = await run(at, 'apply', '-destroy', '-auto-approve')
    expect(destroyed.output).toContain(`${countIn(applied)} destroyed`)
    report('shared', applied, shared, began)
  })
})

function report(layout: string, applied: Json, stack: Json, began: number): void {
  const duration = Math.round((Date.now() - began) / 1_000)
  table.push(
    `${layout}: ${countIn(applied)} of ${countIn(stack)} resources, second plan empty, ${duration} s`,
  )
}

/** A larger host and database. */
const LARGER: Partial<EnvironmentInput> = {
  hosts: { instanceType: 't4g.medium', architecture: 'arm64', rootGb: 30 },
  database: { instanceClass: 'db.t4g.small', storageGb: 30, deletionProtection: false },
}

/** Synthesizes a layout of staging for the emulator. */
function synthesize(
  layout: string,
  zoneId: string,
  changed: Partial<EnvironmentInput> = {},
): { folder: string; stack: Json } {
  const options = cases[layout] ?? expect.fail(`No layout is named ${layout}`)
  const input = {
    ...options,
    database: { deletionProtection: false },
    ...changed,
  }
  const config = parseEnvironment('staging', input, parseAccount(account))
  const synthesized = synthesizeOne({ ...config, target: 'emulator' })
  folders.push(synthesized.folder)
  const folder = join(synthesized.folder, 'stacks/staging')
  // The ids of the emulator do not begin with Z, which the configuration requires.
  const { zoneId: example } = layouts.high.domain
  const stack = JSON.parse(JSON.stringify(synthesized.environment).replaceAll(example, zoneId))
  write(folder, stack)
  return { folder, stack }
}

const write = (folder: string, stack: Json) =>
  writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(stack, null, 2))

type Run = Awaited<ReturnType<typeof startTerraform>>

/** Starts an emulator. @returns a function that runs Terraform against it, and expects it to succeed */
async function startTerraform() {
  const moto = (await startMoto()) ?? expect.fail('moto cannot be installed')
  emulators.push(moto)
  const unchecked = terraformFor(moto)
  const run = async (folder: string, ...args: string[]) => {
    const outcome = await unchecked(folder, ...args)
    expect(outcome.code, outcome.output.slice(-8_000)).toBe(0)
    return outcome
  }
  /** Creates the zone of the domain, which exists before an environment. @returns its id */
  const createZone = () => {
    const args = [
      'route53',
      'create-hosted-zone',
      '--name',
      'example.com',
      '--caller-reference',
      '1',
      '--region',
      'eu-central-1',
    ]
    const { HostedZone } = JSON.parse(execFileSync('aws', args, { env: moto.env, encoding: 'utf8' }))
    return HostedZone.Id.replace('/hostedzone/', '') as string // response of the AWS CLI
  }
  return Object.assign(run, { unchecked, createZone })
}

async function plan(run: Run, folder: string): Promise<{ resource_changes?: Change[] }> {
  await run(folder, 'plan', '-out=saved')
  return JSON.parse((await run(folder, 'show', '-json', 'saved')).output)
}

const changesIn = ({ resource_changes = [] }: { resource_changes?: Change[] }) =>
  resource_changes.filter(({ change }) => !['no-op', 'read'].includes(change.actions.join()))

/**
 * Returns `address: attribute before -> after` for everything in a plan that the emulator does not explain.
 */
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

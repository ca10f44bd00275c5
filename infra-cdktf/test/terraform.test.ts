// Runs Terraform for every layout, with an offline provider instead of the AWS provider.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dataLossesIn } from '../src/commands/data-loss.ts'
import { makeMirror } from './offline-provider/mirror.ts'
import { configOf, type Json, LAYOUTS, synthesizeOne } from './support/layouts.ts'
import { createTerraform, hasTerraform } from './support/terraform.ts'

const layouts = LAYOUTS.map((layout) => ({ layout, ...synthesizeOne(configOf('prod', layout)) }))
const single = layouts[0] ?? expect.fail('There are no layouts')
const mirror = mkdtempSync(join(tmpdir(), 'waggle-mirror-'))
const provider = await makeMirror(
  mirror,
  layouts.flatMap(({ environment, shared }) => [environment, shared]),
).start()
const terraform = createTerraform(provider.env)

afterAll(() => {
  provider.stop()
  for (const folder of [mirror, ...layouts.map(({ folder }) => folder)])
    rmSync(folder, { recursive: true, force: true })
})

const countIn = (stack: Json) =>
  Object.values<Json>(stack.resource).reduce((count, resources) => count + Object.keys(resources).length, 0)

/** Returns `${…}`, the notation of a reference in Terraform and of a variable in the shell. */
const ref = (expression: string) => `\${${expression}}`

const stacks = [
  ...layouts.map(({ layout, folder, environment }) => ({
    layout,
    folder: join(folder, 'stacks/prod'),
    json: environment,
  })),
  { layout: 'shared', folder: join(single.folder, 'stacks/shared'), json: single.shared },
]

describe.skipIf(!hasTerraform)('terraform', () => {
  test.concurrent.each(stacks)(
    'creates $layout, has an empty second plan, and destroys it',
    async ({ layout, folder, json }) => {
      const count = countIn(json)
      expect(await terraform(folder, 'init')).toMatchObject({ code: 0 })
      expect(await terraform(folder, 'validate')).toMatchObject({ code: 0 })
      const plan = await terraform(folder, 'plan', '-out=plan')
      expect(plan.output).toContain(`Plan: ${count} to add, 0 to change, 0 to destroy`)
      expect((await terraform(folder, 'apply', 'plan')).output).toContain(`${count} added`)
      expect(await terraform(folder, 'plan', '-detailed-exitcode')).toMatchObject({ code: 0 })
      if (layout === 'single') await examine(folder, json)

      const destroyed = await terraform(folder, 'apply', '-destroy', '-auto-approve', '-refresh=false')
      if (layout === 'shared') {
        // The state bucket is protected from accidental destruction.
        expect(destroyed.output).toContain('aws_s3_bucket.state has lifecycle.prevent_destroy set')
      } else expect(destroyed.output).toContain(`${count} destroyed`)
    },
  )

  /** Checks values that are known only after the apply. */
  async function examine(folder: string, json: Json): Promise<void> {
    const state = JSON.parse((await terraform(folder, 'show', '-json')).output)
    const valuesOf = (address: string) =>
      state.values.root_module.resources.find((resource: Json) => resource.address === address).values
    const bootstrap = readFileSync(new URL('../host/bootstrap.sh', import.meta.url), 'utf8')
    expect(Buffer.from(valuesOf('aws_instance.app').user_data_base64, 'base64').toString()).toBe(bootstrap)
    const { widgets } = JSON.parse(valuesOf('aws_cloudwatch_dashboard.dashboard').dashboard_body)
    expect(JSON.stringify(widgets)).toContain(valuesOf('aws_instance.app').id)
    expect(JSON.stringify(state)).not.toMatch(/\$\{|AKIA/)

    // A change that replaces the database counts as a loss of data.
    const changed = structuredClone(json)
    changed.resource.aws_db_instance.database.identifier = 'another'
    writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(changed))
    await terraform(folder, 'plan', '-out=another')
    const plan = JSON.parse((await terraform(folder, 'show', '-json', 'another')).output)
    expect(dataLossesIn(plan, [])).toEqual([{ address: 'aws_db_instance.database', action: 'replace' }])
    expect(dataLossesIn(plan, ['aws_db_instance.database'])).toEqual([])
    writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(json))
  }
})

describe.skipIf(!hasTerraform)('terraform validate finds', () => {
  const folder = join(single.folder, 'faults')
  beforeAll(async () => {
    cpSync(join(single.folder, 'stacks/prod/cdk.tf.json'), join(folder, 'cdk.tf.json'))
    expect(await terraform(folder, 'init')).toMatchObject({ code: 0 })
  })

  const faults: [string, (resource: Json) => void, RegExp][] = [
    [
      'an unknown attribute',
      (r) => {
        r.aws_vpc.vpc.cidr = '10.0.0.0/16'
      },
      /Extraneous JSON object property/,
    ],
    [
      'a reference to an unknown attribute',
      (r) => {
        r.aws_eip['edge-address'].instance = ref('aws_instance.app.idd')
      },
      /Unsupported attribute/,
    ],
    [
      'a reference to an unknown resource',
      (r) => {
        r.aws_eip['edge-address'].instance = ref('aws_instance.api.id')
      },
      /Reference to undeclared resource/,
    ],
    [
      'a missing required argument',
      (r) => {
        delete r.aws_route_table['public-0-routes'].vpc_id
      },
      /Missing required argument/,
    ],
    [
      'a value of the wrong type',
      (r) => {
        r.aws_db_instance.database.allocated_storage = 'much'
      },
      /Incorrect attribute value type/,
    ],
    [
      'a cycle of references',
      (r) => {
        r.aws_vpc.vpc.tags.Name = ref('aws_subnet.public-0.id')
      },
      /Cycle:/,
    ],
    [
      'an unknown function',
      (r) => {
        r.aws_vpc.vpc.tags.Name = ref('shout("waggle")')
      },
      /Call to unknown function/,
    ],
    [
      'two blocks where only one is allowed',
      (r) => {
        const { root_block_device: disk } = r.aws_instance.app
        r.aws_instance.app.root_block_device = [disk, disk]
      },
      /Too many root_block_device blocks/,
    ],
    [
      'a script with shell variables that Terraform parses as a template',
      (r) => {
        r.aws_instance.app.user_data = `echo ${ref('NAME:-waggle')}`
      },
      /Extra characters after interpolation/,
    ],
    [
      'a policy that is not JSON',
      (r) => {
        r.aws_kms_key.key.policy = '{"Version":'
      },
      /invalid JSON policy/,
    ],
  ]

  test.each(faults)('%s', async (_fault, plant, message) => {
    const stack = structuredClone(single.environment)
    plant(stack.resource)
    writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(stack))
    const { code, output } = await terraform(folder, 'validate')
    expect(code).toBe(1)
    expect(output).toMatch(message)
  })
})

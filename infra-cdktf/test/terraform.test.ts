// Terraform itself, over every layout, with the stand-in in the place of AWS' provider.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refusalsIn } from '../src/commands/gate.ts'
import { makeMirror } from './offline-provider/mirror.ts'
import { configOf, type Json, LAYOUTS, synthesizeOne } from './support/layouts.ts'
import { createTerraform, hasTerraform } from './support/terraform.ts'

const layouts = LAYOUTS.map((layout) => ({ layout, ...synthesizeOne(configOf('prod', layout)) }))
const single = layouts[0] ?? expect.fail('There is no layout')
const mirror = mkdtempSync(join(tmpdir(), 'waggle-mirror-'))
const standIn = await makeMirror(
  mirror,
  layouts.flatMap(({ environment, shared }) => [environment, shared]),
).start()
const terraform = createTerraform(standIn.env)

afterAll(() => {
  standIn.stop()
  for (const folder of [mirror, ...layouts.map(({ folder }) => folder)])
    rmSync(folder, { recursive: true, force: true })
})

const countIn = (stack: Json) =>
  Object.values<Json>(stack.resource).reduce((count, resources) => count + Object.keys(resources).length, 0)

/** As Terraform writes a reference, and the shell a variable. */
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
    'makes $layout out of nothing, finds nothing left to do, and removes it',
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
        // The state is not lost by a slip of the keyboard.
        expect(destroyed.output).toContain('aws_s3_bucket.state has lifecycle.prevent_destroy set')
      } else expect(destroyed.output).toContain(`${count} destroyed`)
    },
  )

  /** What only an applied stack can tell. */
  async function examine(folder: string, json: Json): Promise<void> {
    const state = JSON.parse((await terraform(folder, 'show', '-json')).output)
    const valuesOf = (address: string) =>
      state.values.root_module.resources.find((resource: Json) => resource.address === address).values
    const bootstrap = readFileSync(new URL('../host/bootstrap.sh', import.meta.url), 'utf8')
    expect(Buffer.from(valuesOf('aws_instance.app').user_data_base64, 'base64').toString()).toBe(bootstrap)
    const { widgets } = JSON.parse(valuesOf('aws_cloudwatch_dashboard.dashboard').dashboard_body)
    expect(JSON.stringify(widgets)).toContain(valuesOf('aws_instance.app').id)
    expect(JSON.stringify(state)).not.toMatch(/\$\{|AKIA/)

    // A change that AWS answers by making the database anew does not get through.
    const changed = structuredClone(json)
    changed.resource.aws_db_instance.database.identifier = 'another'
    writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(changed))
    await terraform(folder, 'plan', '-out=another')
    const plan = JSON.parse((await terraform(folder, 'show', '-json', 'another')).output)
    expect(refusalsIn(plan, [])).toEqual([{ address: 'aws_db_instance.database', does: 'replace' }])
    expect(refusalsIn(plan, ['aws_db_instance.database'])).toEqual([])
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
      'an attribute that there is not',
      (r) => {
        r.aws_vpc.vpc.cidr = '10.0.0.0/16'
      },
      /Extraneous JSON object property/,
    ],
    [
      'a reference to an attribute that there is not',
      (r) => {
        r.aws_eip['app-address'].instance = ref('aws_instance.app.idd')
      },
      /Unsupported attribute/,
    ],
    [
      'a reference to a resource that there is not',
      (r) => {
        r.aws_eip['app-address'].instance = ref('aws_instance.api.id')
      },
      /Reference to undeclared resource/,
    ],
    [
      'a required argument that is missing',
      (r) => {
        delete r.aws_route_table['public-0-routes'].vpc_id
      },
      /Missing required argument/,
    ],
    [
      'a value of another type',
      (r) => {
        r.aws_db_instance.database.allocated_storage = 'much'
      },
      /Incorrect attribute value type/,
    ],
    [
      'a circle',
      (r) => {
        r.aws_vpc.vpc.tags.Name = ref('aws_subnet.public-0.id')
      },
      /Cycle:/,
    ],
    [
      'a function that there is not',
      (r) => {
        r.aws_vpc.vpc.tags.Name = ref('shout("waggle")')
      },
      /Call to unknown function/,
    ],
    [
      'two blocks where one may be',
      (r) => {
        const { root_block_device: disk } = r.aws_instance.app
        r.aws_instance.app.root_block_device = [disk, disk]
      },
      /Too many root_block_device blocks/,
    ],
    [
      'a script that Terraform takes for a template',
      (r) => {
        r.aws_instance.app.user_data = `echo ${ref('NAME:-waggle')}`
      },
      /Extra characters after interpolation/,
    ],
    [
      'a policy that is no JSON',
      (r) => {
        r.aws_kms_key.key.policy = '{"Version":'
      },
      /invalid JSON policy/,
    ],
  ]

  test.each(faults)('%s', async (_what, seed, message) => {
    const stack = structuredClone(single.environment)
    seed(stack.resource)
    writeFileSync(join(folder, 'cdk.tf.json'), JSON.stringify(stack))
    const { code, output } = await terraform(folder, 'validate')
    expect(code).toBe(1)
    expect(output).toMatch(message)
  })
})

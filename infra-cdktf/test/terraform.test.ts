// Validates every layout with Terraform and an offline provider, which has the schema of the AWS provider.
// The real provider runs in test-aws/.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeMirror } from './offline-provider/mirror.ts'
import { configOf, type Json, LAYOUTS, synthesizeOne } from './support/layouts.ts'
import { createTerraform, hasTerraform } from './support/terraform.ts'

const layouts = LAYOUTS.map((layout) => ({ layout, ...synthesizeOne(configOf('prod', layout)) }))
const single = layouts[0] ?? expect.fail('There are no layouts')
const mirror = mkdtempSync(join(tmpdir(), 'waggle-mirror-'))
const stacksOf = layouts.flatMap(({ environment, shared }) => [environment, shared])
const terraform = createTerraform(makeMirror(mirror, stacksOf))

afterAll(() => {
  for (const folder of [mirror, ...layouts.map(({ folder }) => folder)])
    rmSync(folder, { recursive: true, force: true })
})

/** Returns `${…}`, the notation of a reference in Terraform and of a variable in the shell. */
const ref = (expression: string) => `\${${expression}}`

const stacks = [
  ...layouts.map(({ layout, folder }) => ({ layout, folder: join(folder, 'stacks/prod') })),
  { layout: 'shared', folder: join(single.folder, 'stacks/shared') },
]

describe.skipIf(!hasTerraform)('terraform', () => {
  test.concurrent.each(stacks)('validates $layout', async ({ folder }) => {
    for (const command of ['init', 'validate'])
      expect(await terraform(folder, command)).toEqual({ code: 0, output: expect.any(String) })
  })
})

describe.skipIf(!hasTerraform)('terraform validate finds', () => {
  const folder = join(single.folder, 'faults')
  beforeAll(async () => {
    cpSync(join(single.folder, 'stacks/prod/cdk.tf.json'), join(folder, 'cdk.tf.json'))
    expect(await terraform(folder, 'init')).toEqual({ code: 0, output: expect.any(String) })
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

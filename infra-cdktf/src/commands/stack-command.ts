// Command line of synth, plan, apply, adopt and destroy: the command, then the stack.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { AwsProject } from '../config/project.ts'
import { USAGE } from '../usage.ts'
import { adopt } from './adopt.ts'
import { apply, applyFirst, plan } from './apply.ts'
import { destroy } from './destroy.ts'
import { prepare, prepareAll } from './stack.ts'

/** @throws Error that explains a wrong use, or why the command has failed */
export async function runStackCommand(project: AwsProject, args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      emulator: { type: 'boolean', default: false },
      output: { type: 'string', default: join(project.folder, 'cdktf.out') },
      first: { type: 'boolean', default: false },
      brief: { type: 'boolean', default: false },
      expect: { type: 'string' },
      yes: { type: 'boolean', default: false },
    },
  })
  const [command, name, ...rest] = positionals
  const options = { project, isEmulated: values.emulator, output: values.output }
  if (command === 'synth' && rest.length === 0) {
    const stacks = name ? [prepare(name, options)] : prepareAll(options)
    process.stdout.write(stacks.map(({ folder }) => `${folder}/cdk.tf.json\n`).join(''))
    return
  }
  if (!name || rest.length > 0) throw new Error(USAGE)
  if (command === 'plan') await plan(name, options, { isBrief: values.brief, expected: values.expect })
  else if (command === 'apply') await (values.first ? applyFirst(name, options) : apply(name, options))
  else if (command === 'adopt') await adopt(name, options)
  else if (command === 'destroy') await destroy(name, options, values.yes)
  else throw new Error(USAGE)
}

// Command line of synth, plan, apply, adopt and destroy. The first argument is the command, the second the
// stack.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ENVIRONMENTS, SHARED_STACK } from '../names.ts'
import { adopt } from './adopt.ts'
import { apply, applyFirst, plan } from './apply.ts'
import { destroy } from './destroy.ts'
import { prepare, ROOT } from './stack.ts'

const STACKS = [SHARED_STACK, ...ENVIRONMENTS].join('|')
const USAGE = `Usage:
  npm run infra:synth -- ${STACKS}      writes the Terraform JSON and prints its path
  npm run infra:plan -- ${STACKS}       saves and shows a plan; fails if it would lose data
  npm run infra:apply -- ${STACKS}      applies the saved plan
  npm run infra:apply -- shared --first              plans and applies shared for the first time
  npm run infra:destroy -- dev|staging               destroys the environment after a confirmation; --yes skips it
  --brief                                            plan: shows only addresses and actions
  --expect DIGEST                                    plan: fails if the changes differ from those of plan.sha256
  npm run infra:adopt -- ${ENVIRONMENTS.join('|')}             makes Terraform manage a restored database, after infra:restore --switch
  --emulator                                         uses AWS_ENDPOINT_URL, with a local state
  --output FOLDER                                    output folder; default infra-cdktf/cdktf.out`

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      emulator: { type: 'boolean', default: false },
      output: { type: 'string', default: join(ROOT, 'cdktf.out') },
      first: { type: 'boolean', default: false },
      brief: { type: 'boolean', default: false },
      expect: { type: 'string' },
      yes: { type: 'boolean', default: false },
    },
  })
  const [command, name, ...rest] = positionals
  if (!command || !name || rest.length > 0) throw new Error(USAGE)
  const options = { isEmulated: values.emulator, output: values.output }
  if (command === 'synth') process.stdout.write(`${prepare(name, options).folder}/cdk.tf.json\n`)
  else if (command === 'plan') await plan(name, options, { isBrief: values.brief, expected: values.expect })
  else if (command === 'apply') await (values.first ? applyFirst(name, options) : apply(name, options))
  else if (command === 'adopt') await adopt(name, options)
  else if (command === 'destroy') await destroy(name, options, values.yes)
  else throw new Error(USAGE)
}

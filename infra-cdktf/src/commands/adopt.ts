// The command adopt: Terraform manages the database instance that now has the name of the environment's database,
// for example after scripts/switch-database.ts. The state of an instance follows its resource id, not its name.
import { namesOf, SHARED_STACK } from '../names.ts'
import { DATABASE } from './destroy.ts'
import { initialize, prepare, type StackOptions } from './stack.ts'

/** Replaces the database in the state, without any change in AWS. @throws Error for the shared stack */
export async function adopt(name: string, options: StackOptions): Promise<void> {
  if (name === SHARED_STACK) throw new Error(`The stack ${SHARED_STACK} has no database`)
  const stack = prepare(name, options)
  await initialize(stack)
  const { terraform, config } = stack
  const resources = (await terraform.read('state', 'list')).split('\n')
  // After an interruption the old instance may already have been removed.
  if (resources.includes(DATABASE)) await terraform.run('state', 'rm', DATABASE)
  await terraform.run('import', '-input=false', DATABASE, namesOf(config.name).database)
}

// The command adopt: Terraform manages the database instance that now has the name of the environment's
// database, for example after scripts/switch-database.ts. The state of an instance follows its resource id,
// not its name.
import { createAws } from '../../scripts/aws.ts'
import { findDatabase } from '../../scripts/database.ts'
import { namesOf, SHARED_STACK } from '../names.ts'
import { DATABASE } from './destroy.ts'
import { initialize, prepare, type StackOptions } from './stack.ts'

/**
 * Replaces the database in the state, without any change in AWS.
 * @throws Error for the shared stack, or if no database with this name is available; the state is then
 * unchanged
 */
export async function adopt(name: string, options: StackOptions): Promise<void> {
  if (name === SHARED_STACK) throw new Error(`The stack ${SHARED_STACK} has no database`)
  const stack = prepare(name, options)
  const { terraform, config } = stack
  const { database } = namesOf(config.name)
  const status = (await findDatabase(createAws(config.account.region), database))?.DBInstanceStatus
  if (status !== 'available')
    throw new Error(
      `The database ${database} ${status ? `is ${status}; it must be available` : 'does not exist'}. The state was not changed`,
    )
  await initialize(stack)
  const resources = (await terraform.read('state', 'list')).split('\n')
  // After an interruption the old instance may already have been removed.
  if (resources.includes(DATABASE)) await terraform.run('state', 'rm', DATABASE)
  await terraform.run('import', '-input=false', DATABASE, database)
}

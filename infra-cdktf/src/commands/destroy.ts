// The command destroy. It keeps a final snapshot of the database, and refuses production.
import { createAws } from '../../scripts/aws.ts'
import { deleteStaleReports } from '../../scripts/hosts.ts'
import { deleteRelease } from '../../scripts/release.ts'
import { namesOf, SHARED_STACK } from '../names.ts'
import { initialize, prepare, type StackOptions } from './stack.ts'

export const DATABASE = 'aws_db_instance.database'
/**
 * With kms "cmk" the key is kept: without it the final snapshot could not be read. Its alias is destroyed,
 * because a later environment of the same name needs the alias for its own key.
 */
const KEY = 'aws_kms_key.key'

/**
 * Destroys an environment, then deletes its releases and the reports of its hosts. Secrets stay.
 * @param isSure skips Terraform's confirmation. @throws Error for prod and shared
 */
export async function destroy(name: string, options: StackOptions, isSure: boolean): Promise<void> {
  if (name === 'prod')
    throw new Error('This command does not destroy prod; docs/deploy.md describes how to do it by hand')
  if (name === SHARED_STACK)
    throw new Error(
      'This command does not destroy shared, which contains the state and the images of all environments',
    )
  const stack = prepare(name, {
    ...options,
    change: (config) => ({
      ...config,
      database: { ...config.database, deletionProtection: false },
      lastSnapshot: `${namesOf(config.name).prefix}-final-${new Date().toISOString().slice(0, 16).replace(/\D/g, '')}`,
    }),
  })
  await initialize(stack)
  const { terraform, config } = stack
  const approval = isSure ? ['-auto-approve'] : []
  const resources = (await terraform.read('state', 'list')).split('\n')
  // A separate apply removes the deletion protection and sets the name of the snapshot, which destroy reads
  // from the state.
  const hasDatabase = resources.includes(DATABASE)
  if (hasDatabase) await terraform.run('apply', `-target=${DATABASE}`, ...approval)
  if (config.kms === 'cmk' && resources.includes(KEY)) await terraform.run('state', 'rm', KEY)
  await terraform.run('destroy', ...approval)
  // Rollouts have written these parameters. A new environment of this name would start the old release before
  // its database and secrets exist.
  const aws = createAws(config.account.region)
  await deleteRelease(aws, config.name)
  await deleteStaleReports(aws, config.name)
  const snapshot = hasDatabase ? ` The final snapshot of its database is ${config.lastSnapshot}` : ''
  process.stdout.write(`${name} is destroyed.${snapshot}\n`)
}

// Takes an environment away, but for a last snapshot of its database. Never production.
import { namesOf, SHARED_STACK } from '../names.ts'
import { initialize, prepare, type StackOptions } from './stack.ts'

const DATABASE = 'aws_db_instance.database'
/** Without its key a snapshot cannot be read any more. */
const KEY = ['aws_kms_key.key', 'aws_kms_alias.key-alias']

export async function destroy(name: string, options: StackOptions, isSure: boolean): Promise<void> {
  if (name === 'prod')
    throw new Error('prod is not destroyed by a command. docs/deploy.md says how a person does it')
  if (name === SHARED_STACK)
    throw new Error('shared holds the state and the images of all environments, and stays')
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
  // What protects it is lifted, and the name of the snapshot is set, by a change of its own.
  if (resources.includes(DATABASE)) await terraform.run('apply', `-target=${DATABASE}`, ...approval)
  if (config.kms === 'cmk' && resources.includes(KEY[0] ?? '')) await terraform.run('state', 'rm', ...KEY)
  await terraform.run('destroy', ...approval)
  process.stdout.write(`${name} is gone. Its database is in the snapshot ${config.lastSnapshot}\n`)
}

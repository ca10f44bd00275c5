// Puts a restored database in the place of the running one, by renaming both. Every step can be repeated
// after an interruption.
import { namesOf } from '../src/names.ts'
import { topologyOf } from '../src/topology.ts'
import { type Database, findDatabase, majorOf, RESTORED_AS, waitForDatabase } from './database.ts'
import { readRelease } from './release.ts'
import { completeRestored, type RestoreParts, stampOf, versionStep } from './restore.ts'
import { POLLING } from './run-command.ts'

// RDS renames an instance within minutes and restarts it.
const RENAME_TIMEOUT_MS = 30 * 60_000

export interface SwitchParts extends RestoreParts {
  /** Asks a person to type the given word. @returns false if the answer differs */
  confirm(question: string, word: string): Promise<boolean>
}

/**
 * Renames the running database to `<name>-old-<time>` and the restored one to its name, which keeps the
 * endpoint. Between the two renames, the API and the workers have no database. Everything that was written
 * after the restored point in time exists only in the old instance.
 * @throws Error without the restored instance, or without the confirmation
 */
export async function switchDatabase(parts: SwitchParts, restored: string): Promise<void> {
  const { aws, config, print, now, confirm, polling = POLLING } = parts
  const { database: name } = namesOf(config.name)
  if (!restored.startsWith(`${name}-restored-`))
    throw new Error(`"${restored}" is not a restored database of ${config.name}: ${name}-restored-…`)
  const [next, running] = [await findDatabase(aws, restored), await findDatabase(aws, name)]
  // After an interruption the restored instance may already have the name. Its tag shows this.
  if (!next && !running?.TagList.some(({ Key, Value }) => Key === RESTORED_AS && Value === restored))
    throw new Error(`There is no instance ${restored}, and ${name} was not restored under this name`)
  if (next) {
    const question = `This replaces the database ${name} with ${restored}. Requests fail for some minutes.`
    if (running && !(await confirm(question, name))) throw new Error('Nothing was changed')
    await completeRestored(aws, restored, running ?? next, polling)
    if (running) await rename(name, `${name}-old-${stampOf(now())}`)
    await rename(restored, name)
  }
  const database = await waitForDatabase(aws, name, RENAME_TIMEOUT_MS, polling)
  await setMasterSecret(database)
  if (majorOf(database.EngineVersion) !== config.database.version)
    print(versionStep(config, database.EngineVersion))
  print(await nextSteps(parts, restored))

  async function rename(from: string, to: string): Promise<void> {
    print(`Renaming ${from} to ${to}`)
    await aws(['rds', 'modify-db-instance'], {
      DBInstanceIdentifier: from,
      NewDBInstanceIdentifier: to,
      ApplyImmediately: true,
    })
    await waitForDatabase(aws, to, RENAME_TIMEOUT_MS, polling)
  }

  /**
   * Stores the ARN of the new master secret for the role of the API. Its host needs the master password if
   * the password of the database role has changed since the snapshot.
   */
  async function setMasterSecret({ MasterUserSecret }: Database): Promise<void> {
    if (!MasterUserSecret) return
    const Name = `${namesOf(config.name).paths.role(topologyOf(config).apiRole)}/MASTER_SECRET_ARN`
    await aws(['ssm', 'put-parameter'], {
      Name,
      Value: MasterUserSecret.SecretArn,
      Type: 'String',
      Overwrite: true,
    })
  }
}

async function nextSteps({ aws, config }: SwitchParts, restored: string): Promise<string> {
  const { name } = config
  const { current = 'COMMIT' } = await readRelease(aws, name)
  return [
    `${namesOf(name).database} is the database that was ${restored}. Finish with:`,
    `  npm run infra:adopt -- ${name}             Terraform manages the new instance`,
    `  npm run infra:plan -- ${name}              must not replace the database`,
    `  npm run infra:apply -- ${name}             hosts may read the new master secret`,
    `  npm run infra:rollout -- ${name} ${current}   hosts set the password of the database role`,
    'The old database costs money until you delete it.',
  ].join('\n')
}

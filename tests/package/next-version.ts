// Makes the tarball of a later version from that of this version. It has one more migration, which its code
// needs, and another default. An internal function has another name: a process that mixes modules of both
// versions then fails, because a module imports a name that the other one does not export.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const NEXT_VERSION = '0.2.0'
/** Default of `maxRetries` in the two versions. */
export const MAX_RETRIES = { before: 3, after: 4 }
/** Name of the new column of `tasks`. */
export const NEW_COLUMN = 'upgrade_note'

// The tables that a submission locks in one statement, in another order than that of the submission.
const MIGRATION = ['attempts', 'idempotency_keys', 'tasks']
  .map((table) => `ALTER TABLE "${table}" ADD COLUMN "${NEW_COLUMN}" text;`)
  .join('--> statement-breakpoint\n')

// Functions of modules that every process loads at its start, used by modules that it loads later.
const RENAMED = ['messageOf', 'isAppError']

/** @returns the path of the new tarball, in `destination` */
export function packNextVersion(tarball: string, destination: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-next-'))
  try {
    execFileSync('tar', ['-xzf', tarball, '-C', folder])
    const root = join(folder, 'package')
    edit(root, 'package.json', /"version": "[^"]+"/, `"version": "${NEXT_VERSION}"`)
    edit(
      root,
      'lib/definitions/define.js',
      `maxRetries: ${MAX_RETRIES.before},`,
      `maxRetries: ${MAX_RETRIES.after},`,
    )
    edit(
      root,
      'lib/store/schema.js',
      /(?<=priority: text\('priority'\).*\n)/,
      `    upgradeNote: text('${NEW_COLUMN}'),\n`,
    )
    edit(
      root,
      'lib/store/claim.js',
      'sql `tasks.id,',
      `sql \`tasks.${NEW_COLUMN} as "upgradeNote", tasks.id,`,
    )
    for (const name of RENAMED) rename(join(root, 'lib'), name, `${name}Now`)
    addMigration(join(root, 'migrations'))
    const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', destination], {
      cwd: root,
      encoding: 'utf8',
    })
    return join(destination, packed.trim())
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Replaces one place of a file. @throws Error if the file has no such place */
function edit(root: string, path: string, place: string | RegExp, replacement: string) {
  const file = join(root, path)
  const before = readFileSync(file, 'utf8')
  const after = before.replace(place, replacement)
  if (after === before) throw new Error(`${path} does not contain ${place}`)
  writeFileSync(file, after)
}

/** Renames an identifier in all modules. */
function rename(folder: string, from: string, to: string) {
  let count = 0
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.js')) continue
    const file = join(folder, path)
    const before = readFileSync(file, 'utf8')
    const after = before.replaceAll(new RegExp(`\\b${from}\\b`, 'g'), to)
    if (after === before) continue
    writeFileSync(file, after)
    count++
  }
  if (count < 2) throw new Error(`${from} does not occur in several modules`)
}

function addMigration(folder: string) {
  const file = join(folder, 'meta/_journal.json')
  const journal = JSON.parse(readFileSync(file, 'utf8'))
  const last = journal.entries.at(-1)
  const tag = `${String(last.idx + 1).padStart(4, '0')}_${NEW_COLUMN}`
  journal.entries.push({ ...last, idx: last.idx + 1, when: last.when + 1, tag })
  writeFileSync(file, JSON.stringify(journal))
  writeFileSync(join(folder, `${tag}.sql`), MIGRATION)
}

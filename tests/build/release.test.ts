// What `npm run release:check` refuses, the text of a release, and the images that it builds.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { planBuilds } from '../../build/release/images.ts'
import { faultsOf, notesOf, type ReleaseState } from '../../build/release/version.ts'

const CHANGELOG = `# Changelog

## Unreleased

## 1.2.3 - 2026-12-01

### Added
- A second line
  that continues.

## 1.2.30 - 2026-11-01
- Another version.

## 1.2.2 - 2026-10-01
- An earlier version.
`
const READY = {
  tag: 'v1.2.3',
  version: '1.2.3',
  lockVersion: '1.2.3',
  changelog: CHANGELOG,
  status: '',
} satisfies ReleaseState
const EXPECTED = '"## 1.2.3 - YYYY-MM-DD"'

test('a version with its section, a clean tree and its tag is ready, also before it has a tag', () => {
  expect(faultsOf(READY)).toEqual([])
  expect(faultsOf({ ...READY, tag: undefined })).toEqual([])
  expect(faultsOf({ ...READY, changelog: CHANGELOG.replace('## Unreleased\n', '') })).toEqual([])
})

test('a pre-release has a section of its own', () => {
  const changelog = CHANGELOG.replace('## 1.2.3 -', '## 1.2.3-rc.1 -')
  const version = '1.2.3-rc.1'
  expect(faultsOf({ ...READY, tag: `v${version}`, version, lockVersion: version, changelog })).toEqual([])
  expect(faultsOf({ ...READY, changelog })).toEqual([`CHANGELOG.md has no section ${EXPECTED}`])
})

test.each<[string, Partial<ReleaseState>, string]>([
  [
    'a tag of another version',
    { tag: 'v1.2.4' },
    'The tag v1.2.4 must be v1.2.3, because package.json has the version 1.2.3',
  ],
  [
    'a tag without its letter',
    { tag: '1.2.3' },
    'The tag 1.2.3 must be v1.2.3, because package.json has the version 1.2.3',
  ],
  [
    'another version in the lock file',
    { lockVersion: '1.2.2' },
    'package-lock.json has the version 1.2.2, package.json has 1.2.3: run `npm install`',
  ],
  [
    'a missing section',
    { changelog: CHANGELOG.replace('## 1.2.3 -', '## 1.2.4 -') },
    `CHANGELOG.md has no section ${EXPECTED}`,
  ],
  [
    'a section without a date',
    { changelog: CHANGELOG.replace('1.2.3 - 2026-12-01', '1.2.3') },
    `CHANGELOG.md: the heading of "1.2.3" must be ${EXPECTED}`,
  ],
  [
    'a date that does not exist',
    { changelog: CHANGELOG.replace('2026-12-01', '2026-13-01') },
    `CHANGELOG.md: the heading of "1.2.3 - 2026-13-01" must be ${EXPECTED}`,
  ],
  [
    'an empty section',
    { changelog: '# Changelog\n\n## 1.2.3 - 2026-12-01\n\n## 1.2.2 - 2026-10-01\n- An earlier version.\n' },
    'CHANGELOG.md: the section "1.2.3 - 2026-12-01" is empty',
  ],
  [
    'lines that are not released',
    { changelog: CHANGELOG.replace('## Unreleased\n', '## Unreleased\n- A line.\n') },
    `CHANGELOG.md: the section "Unreleased" is not empty: move its lines to ${EXPECTED}`,
  ],
  [
    'changes that are not committed',
    { status: ' M src/main.ts\n?? notes.txt\n' },
    'The working tree has changes that are not committed:\n M src/main.ts\n?? notes.txt',
  ],
  ['a folder without Git', { status: undefined }, 'This folder is not a working tree of Git'],
])('%s is refused', (_, wrong, fault) => {
  expect(faultsOf({ ...READY, ...wrong })).toEqual([fault])
})

test('all faults are named at once', () => {
  const faults = faultsOf({ ...READY, version: '1.0.0', lockVersion: '0.9.0', changelog: '', status: 'x' })
  expect(faults).toHaveLength(4)
})

test('the text of a release is the section of its version only', () => {
  expect(notesOf(CHANGELOG, '1.2.3')).toBe('### Added\n- A second line\n  that continues.')
})

test('the command names the faults and ends with 1 before it builds anything', () => {
  const program = fileURLToPath(new URL('../../build/release/check.ts', import.meta.url))
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'v0.0.0'], { encoding: 'utf8' })
  expect(stderr).toMatch(/^The tag v0\.0\.0 must be v/)
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
})

describe('images', () => {
  // As `docker buildx inspect` prints it.
  const inspection = (platforms: string) => `Name:          default
Driver:        docker

Nodes:
Name:             default
Endpoint:         default
Status:           running
Platforms:        ${platforms}
`

  test('are built for both platforms where emulation exists', () => {
    expect(planBuilds(inspection('linux/amd64*, linux/amd64/v2, linux/arm64, linux/386'))).toEqual({
      builds: [
        { target: 'core', platform: 'linux/amd64' },
        { target: 'core', platform: 'linux/arm64' },
        { target: 'app', platform: 'linux/amd64' },
        { target: 'app', platform: 'linux/arm64' },
        { target: 'web', platform: 'linux/amd64' },
        { target: 'web', platform: 'linux/arm64' },
      ],
      skipped: [],
    })
  })

  test('are built on all nodes of a builder', () => {
    expect(planBuilds(inspection('linux/arm64') + inspection('linux/amd64')).skipped).toEqual([])
  })

  test('for a platform without emulation are skipped with a sentence', () => {
    expect(planBuilds(inspection('linux/amd64, linux/amd64/v2'))).toEqual({
      builds: [
        { target: 'core', platform: 'linux/amd64' },
        { target: 'app', platform: 'linux/amd64' },
        { target: 'web', platform: 'linux/amd64' },
      ],
      skipped: ['The images for linux/arm64 were not built: this builder has no emulation of it.'],
    })
  })

  test('are skipped with a sentence without a Docker engine', () => {
    expect(planBuilds(undefined)).toEqual({
      builds: [],
      skipped: ['The images were not built: there is no Docker engine with buildx.'],
    })
  })
})

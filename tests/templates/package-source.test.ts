// Where a new project gets Waggle from.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sourceForProject } from '../../src/templates/package-source.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'waggle-source-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Creates the package, as npm installs it into a folder whose package.json has this dependency. */
function install(spec: string): string {
  const root = join(folder, 'npx/abc/node_modules/waggle-tasks')
  mkdirSync(root, { recursive: true })
  writeFileSync(join(root, 'package.json'), '{"name": "waggle-tasks", "version": "1.2.3"}')
  writeFileSync(
    join(folder, 'npx/abc/package.json'),
    JSON.stringify({ dependencies: { 'waggle-tasks': spec } }),
  )
  return root
}

test.each([
  ['a range of versions', '^1.2.0', '1.2.3'],
  ['a tag', 'latest', '1.2.3'],
  ['a tarball', 'file:../../waggle-tasks-1.2.3.tgz', 'file:../../waggle-tasks-1.2.3.tgz'],
  ['a Git address', 'git+https://git.example.com/waggle.git', 'git+https://git.example.com/waggle.git'],
  ['a repository', 'github:example/waggle', 'github:example/waggle'],
  ['a tarball on a server', 'https://example.com/w.tgz', 'https://example.com/w.tgz'],
])('installed from %s', (_, spec, expected) => {
  expect(sourceForProject(join(folder, 'home/my-tasks'), install(spec))).toBe(expected)
})

test('run from a folder', () => {
  const root = join(folder, 'waggle')
  mkdirSync(root)
  writeFileSync(join(root, 'package.json'), '{"name": "waggle-tasks", "version": "1.2.3"}')
  expect(sourceForProject(join(folder, 'my-tasks'), `${root}/`)).toBe('file:../waggle')
})

// What the package contains, and what tools say about it.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { expect, inject, test } from 'vitest'
import { ENTRY_POINTS } from '../../build/entry-points.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const DIST = join(ROOT, 'dist')
const SAMPLES = ['tasks', 'services', 'forms']
const TOP = ['CHANGELOG.md', 'LICENSE', 'README.md', 'bin/waggle.js', 'package.json']

test('the package contains what is needed and nothing else', () => {
  const packed = execFileSync('tar', ['-tzf', inject('tarball')], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''))
  const page = packed.filter((path) => path.startsWith('web/'))
  expect(packed.filter((path) => !page.includes(path)).sort()).toEqual(
    [
      ...TOP,
      ...ENTRY_POINTS.map(({ types }) => types),
      ...filesBelow('src').flatMap(compiledOf),
      ...filesBelow('migrations').filter((path) => !path.endsWith('_snapshot.json')),
      ...filesBelow('templates'),
      ...filesBelow('docker'),
      ...filesBelow('infra-cdktf/host'),
      ...['infra-cdktf/src', 'infra-cdktf/scripts'].flatMap(filesBelow).flatMap(compiledOf),
      ...['aws.', 'hosts.', 'https.', 'project.', ''].map((kind) => `docker-compose.${kind}yml`),
      'docker/env.example',
      'docker/rds-ca.pem',
      ...SAMPLES.flatMap(filesBelow).map((path) => `templates/samples/${path}`),
      'templates/samples/waggle.config.ts',
    ].sort(),
  )
  expect(page.filter((path) => !path.startsWith('web/dist/assets/')).sort()).toEqual([
    'web/dist/icon.svg',
    'web/dist/index.html',
  ])
  // Every script and style sheet is part of the page: index.html or another script names it.
  const texts = page.map((path) => readFileSync(join(DIST, path), 'utf8'))
  for (const path of page.filter((path) => path.startsWith('web/dist/assets/'))) {
    expect(path).toMatch(/^web\/dist\/assets\/[\w-]+\.(js|css)$/)
    expect(texts.filter((text) => text.includes(basename(path)))).not.toEqual([])
  }
})

test('the command is executable', () => {
  const listing = execFileSync('tar', ['-tvzf', inject('tarball'), 'package/bin/waggle.js'], {
    encoding: 'utf8',
  })
  expect(listing).toMatch(/^-rwxr-xr-x/)
})

// Other entry points import the types of `waggle-tasks`: a copy of them would lack the types of the project.
const TYPE_IMPORTS = ['hono', 'waggle-tasks', 'waggle-tasks/client', 'zod']

test.each(ENTRY_POINTS)('the types of "$export" stand in one file', ({ types }) => {
  const names = importsIn(readFileSync(join(DIST, types), 'utf8'))
  expect(names.filter((name) => !TYPE_IMPORTS.includes(name) && !name.startsWith('hono/'))).toEqual([])
})

test('the types of the client need no other package', () => {
  expect(importsIn(readFileSync(join(DIST, 'client.d.ts'), 'utf8'))).toEqual([])
})

test('publint has no findings', async () => {
  const { messages, pkg = {} } = await publint({ pkgDir: DIST, strict: true })
  expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
})

test('attw has no findings', () => {
  const { status, stdout, stderr } = spawnSync(
    join(ROOT, 'node_modules/.bin/attw'),
    [inject('tarball'), '--profile', 'esm-only', '--no-color'],
    { encoding: 'utf8' },
  )
  expect(status, stdout + stderr).toBe(0)
})

/** Names of the imported modules, also of those in types such as `import("zod").ZodType`. */
function importsIn(types: string): string[] {
  return [...types.matchAll(/\b(?:from |import\()["']([^"']+)["']/g)].map(([, name = '']) => name)
}

/** The files that a file of code becomes. */
function compiledOf(path: string): string[] {
  if (path.endsWith('.d.ts') || path === 'infra-cdktf/scripts/portability.ts') return []
  return [path.replace(/^src\//, 'lib/').replace(/\.ts$/, '.js')]
}

function filesBelow(folder: string): string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
  } catch {
    return []
  }
}

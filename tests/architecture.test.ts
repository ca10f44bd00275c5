// The doors between the rooms (docs: the layers): imports point down, without cycles, and some packages have one home.
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

/** From the bottom up. Rooms of one layer do not know each other; a room is a file or all files below a folder. */
const LAYERS: Record<string, string>[] = [
  {
    'src/config.ts': 'config',
    'src/errors.ts': 'errors',
    'src/exact-json.ts': 'exact-json',
    'src/task-status.ts': 'task-status',
    'src/loop.ts': 'loop',
    'src/uuidv7.ts': 'uuidv7',
  },
  {
    'src/telemetry/events.ts': 'telemetry/events',
    'src/activity.ts': 'activity',
    'src/shared-look.ts': 'shared-look',
  },
  {
    'src/telemetry/': 'telemetry',
    'src/tasks/': 'tasks',
    'src/store/': 'store',
    'src/queue.ts': 'queue',
    'src/bee/': 'bee',
    'src/signals.ts': 'signals',
    'src/rate-limiter.ts': 'rate-limiter',
  },
  {
    'src/task-input.ts': 'task-input',
    'src/insert-once.ts': 'insert-once',
  },
  {
    'src/task-service.ts': 'task-service',
    'src/task-watcher.ts': 'task-watcher',
    'src/connections.ts': 'connections',
  },
  { 'src/api/': 'api', 'src/worker/': 'worker', 'src/embedded/': 'embedded' },
  { 'src/assembly.ts': 'assembly' },
  { 'src/main.ts': 'main', 'src/lambda.ts': 'lambda', 'src/client/': 'client' },
  { 'web/src/': 'web' },
]

/** Which files may import a package, by the beginning of its name. */
const HOMES: [packageName: RegExp, home: RegExp][] = [
  [/^bee-queue\b/, /^src\/bee\//],
  [/^redis$/, /^src\/(signals|rate-limiter)\.ts$/],
  [/^undici$/, /^src\/tasks\/http\//],
  [/^drizzle-orm\b/, /^src\/store\//],
  [/^(pg|@electric-sql\/pglite)$/, /^src\/store\//],
  [/^uplot\b/, /^web\/src\/overview\/plot\.ts$/],
]

/** What may be loaded by browsers. */
const BROWSER_PACKAGES = /^(hono|uplot)\b/

/** The files that code for browsers may import, beside its own. */
const KNOWN_TO_BROWSERS = {
  web: ['src/client/client.ts', 'src/api/app.ts', 'src/exact-json.ts'],
  client: ['src/api/app.ts', 'src/tasks/registry.ts'],
}

const RUNS_IN_BROWSERS = ['src/client/client.ts', 'src/exact-json.ts']

type Files = Record<string, string>

interface Import {
  from: string
  to: string
  isTypeOnly: boolean
}

test('the code keeps its doors shut', () => {
  expect(findingsIn(ourFiles())).toEqual([])
})

test('the files are found and their imports are read', () => {
  const files = ourFiles()
  const imports = Object.keys(files).flatMap((path) => importsOf(path, files[path] ?? ''))
  expect(Object.keys(files).length).toBeGreaterThan(40)
  expect(imports).toContainEqual({ from: 'src/main.ts', to: 'src/assembly.ts', isTypeOnly: false })
  expect(imports).toContainEqual({
    from: 'src/store/database.ts',
    to: '@electric-sql/pglite',
    isTypeOnly: false,
  })
  expect(imports).toContainEqual({ from: 'src/worker/heartbeat.ts', to: 'src/signals.ts', isTypeOnly: true })
})

describe('whoever opens a door is found', () => {
  test.each<[kind: string, planted: Files, finding: string]>([
    [
      'an import that points up',
      { 'src/store/x.ts': `import { submit } from '../task-service.ts'`, 'src/task-service.ts': '' },
      'src/store/x.ts imports src/task-service.ts: store lies below task-service',
    ],
    [
      'an import that points up, of a type only',
      { 'src/loop.ts': `import type { Task } from './tasks/define.ts'`, 'src/tasks/define.ts': '' },
      'src/loop.ts imports src/tasks/define.ts: loop lies below tasks',
    ],
    [
      'a re-export that points up',
      { 'src/errors.ts': `export { x } from './store/x.ts'`, 'src/store/x.ts': '' },
      'src/errors.ts imports src/store/x.ts: errors lies below store',
    ],
    [
      'an import at run time that points up',
      { 'src/queue.ts': `const x = await import('./worker/x.ts')`, 'src/worker/x.ts': '' },
      'src/queue.ts imports src/worker/x.ts: queue lies below worker',
    ],
    [
      'an import over several lines',
      { 'src/api/x.ts': `import {\n  a,\n  type B,\n} from '../worker/x.ts'`, 'src/worker/x.ts': '' },
      'src/api/x.ts imports src/worker/x.ts: api and worker do not know each other',
    ],
    [
      'an import between siblings',
      { 'src/store/x.ts': `import { define } from '../tasks/define.ts'`, 'src/tasks/define.ts': '' },
      'src/store/x.ts imports src/tasks/define.ts: store and tasks do not know each other',
    ],
    [
      'an import between siblings of the lowest layer',
      { 'src/errors.ts': `import './loop.ts'`, 'src/loop.ts': '' },
      'src/errors.ts imports src/loop.ts: errors and loop do not know each other',
    ],
    [
      'an import of the bee by somebody else than the queue',
      {
        'src/worker/x.ts': `import { connectProducer } from '../bee/producer.ts'`,
        'src/bee/producer.ts': '',
      },
      'src/worker/x.ts imports src/bee/producer.ts: only src/queue.ts may',
    ],
    [
      'an import of main',
      { 'src/api/x.ts': `import '../main.ts'`, 'src/main.ts': '' },
      'src/api/x.ts imports src/main.ts: api lies below main',
    ],
    [
      'a cycle of two',
      { 'src/api/a.ts': `import './b.ts'`, 'src/api/b.ts': `import type { A } from './a.ts'` },
      'cycle: src/api/a.ts > src/api/b.ts > src/api/a.ts',
    ],
    [
      'a cycle of three',
      {
        'src/store/a.ts': `import './b.ts'`,
        'src/store/b.ts': `import './c.ts'`,
        'src/store/c.ts': `import './a.ts'`,
      },
      'cycle: src/store/a.ts > src/store/b.ts > src/store/c.ts > src/store/a.ts',
    ],
    ['a file without a layer', { 'src/helpers.ts': '' }, 'src/helpers.ts belongs to no layer'],
    [
      'an import of a file that does not exist',
      { 'src/api/x.ts': `import './gone.ts'` },
      'src/api/x.ts imports src/api/gone.ts: there is no such file',
    ],
    [
      'Bee-Queue outside its home',
      { 'src/queue.ts': `import BeeQueue from 'bee-queue'` },
      'src/queue.ts imports bee-queue, which is not its business',
    ],
    [
      'Redis outside its home',
      { 'src/api/x.ts': `import { createClient } from 'redis'` },
      'src/api/x.ts imports redis, which is not its business',
    ],
    [
      'a request past the guard of addresses',
      { 'src/worker/x.ts': `import { request } from 'undici'` },
      'src/worker/x.ts imports undici, which is not its business',
    ],
    [
      'what draws, loaded with the page',
      { 'web/src/x.ts': `import uPlot from 'uplot'` },
      'web/src/x.ts imports uplot, which is not its business',
    ],
    [
      'SQL outside the store',
      { 'src/worker/x.ts': `import { sql } from "drizzle-orm"` },
      'src/worker/x.ts imports drizzle-orm, which is not its business',
    ],
    [
      'code of the API in the page',
      { 'web/src/x.ts': `import { createApp } from '../../src/api/app.ts'`, 'src/api/app.ts': '' },
      'web/src/x.ts imports src/api/app.ts: only its types may',
    ],
    [
      'another type than the routes in the page',
      { 'web/src/x.ts': `import type { Row } from '../../src/store/schema.ts'`, 'src/store/schema.ts': '' },
      'web/src/x.ts imports src/store/schema.ts: the page knows src/client/client.ts and src/api/app.ts and src/exact-json.ts only',
    ],
    [
      'another part of the client in the page',
      {
        'web/src/x.ts': `import { pause } from '../../src/client/patience.ts'`,
        'src/client/patience.ts': '',
      },
      'web/src/x.ts imports src/client/patience.ts: the page knows src/client/client.ts and src/api/app.ts and src/exact-json.ts only',
    ],
    [
      'code of the server in the client',
      {
        'src/client/x.ts': `import { createRegistry } from '../tasks/registry.ts'`,
        'src/tasks/registry.ts': '',
      },
      'src/client/x.ts imports src/tasks/registry.ts: only its types may',
    ],
    [
      'another type than its own in the client',
      { 'src/client/x.ts': `import type { Row } from '../store/schema.ts'`, 'src/store/schema.ts': '' },
      'src/client/x.ts imports src/store/schema.ts: the client knows src/api/app.ts and src/tasks/registry.ts only',
    ],
    [
      'what only Node has, in the client',
      { 'src/client/x.ts': `import { randomUUID } from 'node:crypto'` },
      'src/client/x.ts imports node:crypto, which is not its business',
    ],
    [
      'the environment outside main',
      { 'src/worker/x.ts': 'const level = process.env.LOG_LEVEL' },
      'src/worker/x.ts reads process.env',
    ],
    [
      'a barrel',
      { 'src/tasks/index.ts': `export * from './define.ts'`, 'src/tasks/define.ts': '' },
      'src/tasks/index.ts exports what is not its own',
    ],
    [
      'a barrel by names',
      { 'src/tasks/all.ts': `export { define } from './define.ts'`, 'src/tasks/define.ts': '' },
      'src/tasks/all.ts exports what is not its own',
    ],
  ])('%s', (_kind, planted, finding) => {
    expect(findingsIn(planted)).toContain(finding)
  })

  test('and whoever keeps the rules is not', () => {
    const well: Files = {
      'src/errors.ts': '',
      'src/store/a.ts': `// import '../worker/x.ts'\n/* process.env */ import { x } from './b.ts'`,
      'src/store/b.ts': `import { sql } from 'drizzle-orm'\nimport { AppError } from '../errors.ts'`,
      'src/api/app.ts': `import { Hono } from 'hono'\nimport { find } from '../store/a.ts'`,
      'src/main.ts': `import { createApp } from './api/app.ts'\nreadConfig(process.env)`,
      'src/tasks/registry.ts': '',
      'src/client/client.ts': `import { hc } from 'hono/client'\nimport type { InputOf } from '../tasks/registry.ts'`,
      'web/src/x.tsx': `import { createClient } from '../../src/client/client.ts'\nimport './page.css'`,
      'web/src/y.ts': `import type { AppType } from '../../src/api/app.ts'`,
    }
    expect(findingsIn(well)).toEqual([])
  })
})

/** Everything in these files that breaks a rule, one sentence each. Pure. */
function findingsIn(files: Files): string[] {
  const imports = Object.entries(files).flatMap(([path, code]) => importsOf(path, code))
  return [
    ...Object.keys(files).flatMap((path) => (placeOf(path) ? [] : [`${path} belongs to no layer`])),
    ...imports.flatMap((entry) => faultsOf(entry, files)),
    ...cyclesIn(imports),
    ...Object.entries(files).flatMap(([path, code]) => faultsInside(path, withoutComments(code))),
  ]
}

function faultsOf(entry: Import, files: Files): string[] {
  const { from, to } = entry
  if (!/^(src|web)\//.test(to)) return packageFaultsOf(entry)
  // Style sheets and the like.
  if (!/\.tsx?$/.test(to)) return []
  if (files[to] === undefined) return [`${from} imports ${to}: there is no such file`]
  const [source, target] = [placeOf(from), placeOf(to)]
  // A file without a layer has a finding of its own.
  if (!source || !target || source.room === target.room) return []
  if (source.room === 'web' || source.room === 'client') return browserFaultsOf(entry, source.room)
  // The bee is the queue's own.
  if (target.room === 'bee')
    return source.room === 'queue' ? [] : [`${from} imports ${to}: only src/queue.ts may`]
  if (source.layer < target.layer) return [`${from} imports ${to}: ${source.room} lies below ${target.room}`]
  if (source.layer > target.layer) return []
  return [`${from} imports ${to}: ${source.room} and ${target.room} do not know each other`]
}

function packageFaultsOf({ from, to }: Import): string[] {
  const isStray =
    HOMES.some(([packageName, home]) => packageName.test(to) && !home.test(from)) ||
    (/^src\/client\/|^web\//.test(from) && !BROWSER_PACKAGES.test(to))
  return isStray ? [`${from} imports ${to}, which is not its business`] : []
}

/** What runs in browsers takes types from the server, and of them only these; and code that needs no server. */
function browserFaultsOf({ from, to, isTypeOnly }: Import, room: 'web' | 'client'): string[] {
  const who = { web: 'the page', client: 'the client' }[room]
  const known = KNOWN_TO_BROWSERS[room]
  if (!known.includes(to)) return [`${from} imports ${to}: ${who} knows ${known.join(' and ')} only`]
  return isTypeOnly || RUNS_IN_BROWSERS.includes(to) ? [] : [`${from} imports ${to}: only its types may`]
}

function faultsInside(path: string, code: string): string[] {
  // What starts servers may pass the environment on to them.
  const mayReadEnvironment = /^src\/(main|lambda)\.ts$/.test(path) || path.startsWith('src/embedded/')
  return [
    ...(/\bprocess\.env\b/.test(code) && !mayReadEnvironment ? [`${path} reads process.env`] : []),
    ...(/\bexport\s+(type\s+)?(\*|\{[^}]*\}\s*from\b)/.test(code)
      ? [`${path} exports what is not its own`]
      : []),
  ]
}

/** One finding for every import that closes a cycle, told from the file that comes first in the alphabet. */
function cyclesIn(imports: Import[]): string[] {
  const targets = Map.groupBy(imports, ({ from }) => from)
  const found = new Set<string>()
  const isDone = new Set<string>()
  const visit = (path: string, trail: string[]) => {
    const start = trail.indexOf(path)
    if (start >= 0) return void found.add(named(trail.slice(start)))
    if (isDone.has(path)) return
    for (const { to } of targets.get(path) ?? []) visit(to, [...trail, path])
    isDone.add(path)
  }
  for (const path of targets.keys()) visit(path, [])
  return [...found]
}

function named(cycle: string[]): string {
  const first = cycle.indexOf(cycle.toSorted()[0] ?? '')
  const turned = [...cycle.slice(first), ...cycle.slice(0, first)]
  return `cycle: ${[...turned, turned[0]].join(' > ')}`
}

function placeOf(path: string): { layer: number; room: string } | undefined {
  for (const [layer, rooms] of LAYERS.entries()) {
    for (const [beginning, room] of Object.entries(rooms)) {
      if (path === beginning || (beginning.endsWith('/') && path.startsWith(beginning)))
        return { layer, room }
    }
  }
  return undefined
}

const IMPORT =
  /(?<![.\w])(?:import|export)\s+(?<type>type\s)?(?:[\w*{}\s,$]+?\sfrom\s*)?(?<quote>['"])(?<name>[^'"]+)\k<quote>|(?<![.\w])import\(\s*(?<quote2>['"])(?<dynamic>[^'"]+)\k<quote2>/g

/** Paths of our files from the root of the project; packages by their names. */
function importsOf(path: string, code: string): Import[] {
  return [...withoutComments(code).matchAll(IMPORT)].map(({ groups = {} }) => {
    const name = groups.name ?? groups.dynamic ?? ''
    const to = name.startsWith('.') ? posix.join(posix.dirname(path), name) : name
    return { from: path, to, isTypeOnly: groups.type !== undefined }
  })
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '')
}

function ourFiles(): Files {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const paths = ['src', 'web/src'].flatMap((folder) => filesBelow(root, folder))
  return Object.fromEntries(paths.map((path) => [path, readFileSync(root + path, 'utf8')]))
}

function filesBelow(root: string, folder: string): string[] {
  return readdirSync(root + folder, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('.d.ts'))
}

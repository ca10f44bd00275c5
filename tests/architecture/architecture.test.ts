// The imports between modules: they point down, to public files, and form no cycles.
import { describe, expect, test } from 'vitest'
import { API_LAYERS, LAYERS, WEB_LAYERS } from './modules.ts'
import { cyclesIn, type Files, findingsIn, importsIn, readFiles } from './rules.ts'

test('the code keeps the rules', () => {
  expect(findingsIn(readFiles(['src', 'web/src']))).toEqual([])
})

test.each(['bench', 'tests/support', 'infra-cdktf/src', 'infra-cdktf/scripts', 'forms'])(
  '%s has no import cycle',
  (folder) => {
    const files = readFiles([folder])
    expect(Object.keys(files).length).toBeGreaterThan(1)
    expect(cyclesIn(importsIn(files))).toEqual([])
  },
)

test('every module and every public file exists', () => {
  const files = Object.keys(readFiles(['src', 'web/src']))
  const expected = [...LAYERS, ...API_LAYERS, ...WEB_LAYERS]
    .flat()
    .flatMap(({ path, face = [] }) => [path, ...face.map((file) => path + file)])
  expect(expected.filter((path) => !files.some((file) => file.startsWith(path)))).toEqual([])
})

test('the files are found and their imports are read', () => {
  const files = readFiles(['src'])
  const imports = importsIn(files)
  expect(Object.keys(files).length).toBeGreaterThan(40)
  expect(imports).toContainEqual({ from: 'src/lambda.ts', to: 'src/assembly.ts', isTypeOnly: false })
  expect(imports).toContainEqual({
    from: 'src/store/new-pglite.ts',
    to: '@electric-sql/pglite',
    isTypeOnly: false,
  })
  expect(imports).toContainEqual({
    from: 'src/worker/heartbeat.ts',
    to: 'src/redis/signals.ts',
    isTypeOnly: true,
  })
})

describe('a broken rule is reported', () => {
  test.each<[kind: string, planted: Files, finding: string]>([
    [
      'an import that points up',
      {
        'src/store/x.ts': `import { submit } from '../service/task-service.ts'`,
        'src/service/task-service.ts': '',
      },
      'src/store/x.ts imports src/service/task-service.ts: src/store/ is below src/service/',
    ],
    [
      'an import that points up, of a type only',
      {
        'src/base/loop.ts': `import type { Task } from '../definitions/define.ts'`,
        'src/definitions/define.ts': '',
      },
      'src/base/loop.ts imports src/definitions/define.ts: src/base/ is below src/definitions/',
    ],
    [
      'a re-export that points up',
      { 'src/base/errors.ts': `export { x } from '../store/schema.ts'`, 'src/store/schema.ts': '' },
      'src/base/errors.ts imports src/store/schema.ts: src/base/ is below src/store/',
    ],
    [
      'an import at run time that points up',
      { 'src/redis/queue.ts': `const x = await import('../worker/worker.ts')`, 'src/worker/worker.ts': '' },
      'src/redis/queue.ts imports src/worker/worker.ts: src/redis/ is below src/worker/',
    ],
    [
      'an import over several lines',
      {
        'src/api/x.ts': `import {\n  a,\n  type B,\n} from '../worker/worker.ts'`,
        'src/worker/worker.ts': '',
      },
      'src/api/x.ts imports src/worker/worker.ts: src/api/ and src/worker/ must not import each other',
    ],
    [
      'an import between modules of one layer',
      { 'src/redis/x.ts': `import { send } from '../tasks/callback.ts'`, 'src/tasks/callback.ts': '' },
      'src/redis/x.ts imports src/tasks/callback.ts: src/redis/ and src/tasks/ must not import each other',
    ],
    [
      'an import of a file that is not public',
      {
        'src/worker/x.ts': `import { connect } from '../redis/bee/connection.ts'`,
        'src/redis/bee/connection.ts': '',
      },
      'src/worker/x.ts imports src/redis/bee/connection.ts, which is not public',
    ],
    [
      'an import of main',
      { 'src/api/x.ts': `import '../main.ts'`, 'src/main.ts': '' },
      'src/api/x.ts imports src/main.ts: src/api/ is below src/main.ts',
    ],
    [
      'an import that points up inside the API',
      {
        'src/api/http/x.ts': `import { createTaskRoutes } from '../tasks/task-routes.ts'`,
        'src/api/tasks/task-routes.ts': '',
      },
      'src/api/http/x.ts imports src/api/tasks/task-routes.ts: src/api/http/ is below src/api/tasks/',
    ],
    [
      'an import of a file of the API that is not public',
      {
        'src/api/docs/x.ts': `import { submitBatch } from '../tasks/batch.ts'`,
        'src/api/tasks/batch.ts': '',
      },
      'src/api/docs/x.ts imports src/api/tasks/batch.ts, which is not public',
    ],
    [
      'an import that points up inside the page',
      { 'web/src/parts/x.ts': `import { hashOf } from '../route.ts'`, 'web/src/route.ts': '' },
      'web/src/parts/x.ts imports web/src/route.ts: web/src/parts/ is below web/src/route.ts',
    ],
    [
      'a cycle of two',
      { 'src/store/a.ts': `import './b.ts'`, 'src/store/b.ts': `import type { A } from './a.ts'` },
      'cycle: src/store/a.ts > src/store/b.ts > src/store/a.ts',
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
    ['a file outside the modules', { 'src/helpers.ts': '' }, 'src/helpers.ts belongs to no module'],
    [
      'an import of a file that does not exist',
      { 'src/store/x.ts': `import './gone.ts'` },
      'src/store/x.ts imports src/store/gone.ts, which does not exist',
    ],
    [
      'Bee-Queue outside its home',
      { 'src/redis/queue.ts': `import BeeQueue from 'bee-queue'` },
      'src/redis/queue.ts must not import bee-queue',
    ],
    [
      'Redis outside its home',
      { 'src/worker/x.ts': `import { createClient } from 'redis'` },
      'src/worker/x.ts must not import redis',
    ],
    [
      'a request that bypasses the address guard',
      { 'src/worker/x.ts': `import { request } from 'undici'` },
      'src/worker/x.ts must not import undici',
    ],
    [
      'the chart library in the first load of the page',
      { 'web/src/api/x.ts': `import uPlot from 'uplot'` },
      'web/src/api/x.ts must not import uplot',
    ],
    [
      'SQL outside the store',
      { 'src/worker/x.ts': `import { sql } from "drizzle-orm"` },
      'src/worker/x.ts must not import drizzle-orm',
    ],
    [
      'code of the API in the page',
      { 'web/src/api/x.ts': `import { createApp } from '../../../src/api/app.ts'`, 'src/api/app.ts': '' },
      'web/src/api/x.ts imports src/api/app.ts: only types may be imported from it',
    ],
    [
      'other types of the server in the page',
      {
        'web/src/api/x.ts': `import type { Row } from '../../../src/store/schema.ts'`,
        'src/store/schema.ts': '',
      },
      'web/src/api/x.ts imports src/store/schema.ts: code for browsers may not',
    ],
    [
      'an inner file of the client in the page',
      {
        'web/src/api/x.ts': `import { pause } from '../../../src/client/retry.ts'`,
        'src/client/retry.ts': '',
      },
      'web/src/api/x.ts imports src/client/retry.ts: code for browsers may not',
    ],
    [
      'code of the server in the client',
      {
        'src/client/x.ts': `import { createApp } from '../api/app.ts'`,
        'src/api/app.ts': '',
      },
      'src/client/x.ts imports src/api/app.ts: only types may be imported from it',
    ],
    [
      'other types of the server in the client',
      { 'src/client/x.ts': `import type { Row } from '../store/schema.ts'`, 'src/store/schema.ts': '' },
      'src/client/x.ts imports src/store/schema.ts: code for browsers may not',
    ],
    [
      'a Node module in the client',
      { 'src/client/x.ts': `import { randomUUID } from 'node:crypto'` },
      'src/client/x.ts must not import node:crypto',
    ],
    [
      'the environment outside main',
      { 'src/worker/x.ts': 'const level = process.env.LOG_LEVEL' },
      'src/worker/x.ts reads process.env',
    ],
    [
      'a barrel',
      { 'src/tasks/index.ts': `export * from './define.ts'`, 'src/tasks/define.ts': '' },
      'src/tasks/index.ts re-exports another file',
    ],
    [
      'a barrel by names',
      { 'src/tasks/all.ts': `export { define } from './define.ts'`, 'src/tasks/define.ts': '' },
      'src/tasks/all.ts re-exports another file',
    ],
  ])('%s', (_kind, planted, finding) => {
    expect(findingsIn(planted)).toContain(finding)
  })

  test('code that keeps the rules has no findings', () => {
    const files: Files = {
      'src/base/errors.ts': '',
      'src/base/loop.ts': `import { AppError } from './errors.ts'`,
      'src/store/task-store.ts': `// import '../worker/x.ts'\n/* process.env */ import { x } from './b.ts'`,
      'src/store/b.ts': `import { sql } from 'drizzle-orm'\nimport { AppError } from '../base/errors.ts'`,
      'src/api/app.ts': `import { Hono } from 'hono'\nimport { find } from '../store/task-store.ts'`,
      'src/main.ts': `import { createApp } from './api/app.ts'\nreadConfig(process.env)`,
      'src/definitions/registry.ts': '',
      'src/client/client.ts': `import { hc } from 'hono/client'\nimport type { AppType } from '../api/app.ts'`,
      'web/src/api/x.tsx': `import { createClient } from '../../../src/client/client.ts'\nimport './page.css'`,
      'web/src/api/y.ts': `import type { AppType } from '../../../src/api/app.ts'`,
    }
    expect(findingsIn(files)).toEqual([])
  })
})

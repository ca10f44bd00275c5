// The way of a project to production: from the packed package to a rollout under load. The project has native
// modules, a setting and a route of its own. Prints how long each step takes.
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, inject, test } from 'vitest'
import { until } from '../support/system.ts'
import { type Client, send, submitAtRate, untilEnded } from './support/client.ts'
import { docker, run } from './support/docker.ts'
import { addPebble, DOMAIN, type HttpsStack, secureClient, servedSerial } from './support/pebble.ts'
import { compose, containersOf, type Stack } from './support/stack.ts'

const provided = inject('stack')

const RECIPES = new URL('../../docs/recipes/', import.meta.url)
const readRecipe = (name: string) => readFileSync(new URL(name, RECIPES), 'utf8')

const TASK = `import { hash, verify } from '@node-rs/argon2'
import add from 'add'
import { defineTask } from 'waggle-tasks'
import { z } from 'zod'

export const native = defineTask({
  name: 'native',
  title: 'Use native modules',
  description: 'Hashes a text, and adds numbers.',
  input: z.object({ text: z.string() }),
  output: z.object({ verified: z.boolean(), sum: z.number(), region: z.string(), version: z.string() }),
  example: { text: 'hello' },
  async run({ text }, { services }) {
    const verified = await verify(await hash(text, { memoryCost: 1_024 }), text)
    return { verified, sum: add(1, 2), region: services.region, version: 'first' }
  },
})
`

const CONFIG = `import { Hono } from 'hono'
import { defineConfig, defineServices } from 'waggle-tasks'
import { z } from 'zod'
import { countPrimes } from './tasks/count-primes.ts'
import { native } from './tasks/native.ts'

const services = defineServices({
  settings: z.object({ REGION: z.string() }),
  open: async ({ settings }) => ({ region: settings.REGION }),
})

declare module 'waggle-tasks' {
  interface Register {
    services: typeof services
  }
}

export default defineConfig({
  tasks: [countPrimes, native],
  services,
  routes: (tools) => ({
    app: new Hono().post('/orders', tools.admit({ access: 'submit' }), async (c) =>
      c.json(await tools.submit(c, 'native', { text: 'an order' }), 202),
    ),
  }),
})
`

/** A package that must be compiled when it is installed. */
const ADDON = {
  'package.json': JSON.stringify({
    name: 'add',
    version: '1.0.0',
    main: 'index.js',
    scripts: { install: 'node-gyp rebuild' },
  }),
  'index.js': "module.exports = require('./build/Release/add.node').add\n",
  'binding.gyp': JSON.stringify({ targets: [{ target_name: 'add', sources: ['add.c'] }] }),
  'add.c': `#include <node_api.h>

static napi_value add(napi_env env, napi_callback_info info) {
  size_t count = 2;
  napi_value values[2], result;
  double a, b;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  napi_get_value_double(env, values[0], &a);
  napi_get_value_double(env, values[1], &b);
  napi_create_double(env, a + b, &result);
  return result;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "add", NAPI_AUTO_LENGTH, add, NULL, &function);
  napi_set_named_property(env, exports, "add", function);
  return exports;
}
`,
}

function npm(folder: string, args: string[]): string {
  return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function write(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

function edit(file: string, pattern: string | RegExp, replacement: string): void {
  const text = readFileSync(file, 'utf8')
  const edited = text.replace(pattern, replacement)
  expect(edited).not.toBe(text)
  writeFileSync(file, edited)
}

/** A test whose duration is printed. The steps build on each other. */
function step(name: string, body: () => Promise<void>) {
  test(name, async () => {
    const startedMs = performance.now()
    await body()
    process.stdout.write(`${name}: ${((performance.now() - startedMs) / 1_000).toFixed(1)} s\n`)
  })
}

describe.skipIf(!provided)('a project', () => {
  const repository = provided as Stack // null only where every test of this file is skipped
  const parent = mkdtempSync(join(tmpdir(), 'waggle-project-'))
  const folder = join(parent, 'my-tasks')
  const coreImage = `${repository?.project}/core:local`
  const stack: HttpsStack = {
    folder,
    project: `${repository?.project}-own`,
    url: '',
    httpsUrl: '',
    apiKey: '',
  }
  let client: Client
  const scripts = 'node_modules/waggle-tasks/docker'

  afterAll(async () => {
    if (!provided) return
    await compose(stack, ['down', '-v', '--remove-orphans', '-t', '10'])
    const images = await docker(['images', '-q', `${stack.project}-*`])
    const ids = [...new Set(images.split('\n').filter(Boolean))]
    if (ids.length > 0) await docker(['rmi', '-f', ...ids])
    rmSync(parent, { recursive: true, force: true })
  })

  step('waggle init --containers', async () => {
    // The builder has the package: the images of the repository are made from it.
    const built = join(parent, 'package')
    const target = ['-f', 'docker/Dockerfile', '--target', 'package', '-o', built]
    await docker(['build', '-q', ...target, '.'], repository.folder)
    mkdirSync(folder)
    npm(built, ['pack', '--silent', '--pack-destination', folder])
    const [tarball = ''] = readdirSync(folder)
    const command = ['exec', '--yes', '--package', join(folder, tarball), '--', 'waggle', 'init', 'my-tasks']
    npm(parent, [...command, '--containers'])
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['Dockerfile', 'docker-compose.yml']))
  })

  step('npm install, with native modules', async () => {
    const addon = join(parent, 'add')
    write(addon, ADDON)
    npm(addon, ['pack', '--silent', '--pack-destination', folder])
    rmSync(join(folder, 'tasks'), { recursive: true })
    write(folder, {
      'tasks/count-primes.ts': readRecipe('count-primes.ts'),
      'tasks/native.ts': TASK,
      'waggle.config.ts': CONFIG,
    })
    // It has no tests, and an optional package of Vite is missing in some registries: `npm ci` would fail.
    npm(folder, ['pkg', 'delete', 'devDependencies.vitest'])
    // The image compiles the module, not this machine.
    const added = ['./add-1.0.0.tgz', '@node-rs/argon2', 'hono']
    npm(folder, ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', ...added])
    edit(join(folder, 'Dockerfile'), '# RUN apt-get', 'RUN apt-get')
  })

  step('docker build of the core image', async () => {
    const context = ['--build-context', 'package=node_modules/waggle-tasks', scripts]
    await docker(['build', '-q', '-t', coreImage, '--target', 'core', ...context], folder)
  })

  step('init-env.sh and docker compose up --build', async () => {
    const { output } = await run('env', [`DOMAIN=${DOMAIN}`, `${scripts}/init-env.sh`], folder)
    const pebble = { image: `${repository.project}/pebble`, validitySeconds: 86_400 }
    Object.assign(stack, await addPebble(folder, pebble), { apiKey: /wgl_\w+/.exec(output)?.[0] })
    const settings = {
      COMPOSE_PROJECT_NAME: stack.project,
      WAGGLE_CORE_IMAGE: coreImage,
      SHUTDOWN_GRACE_SECONDS: '10',
    }
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
    appendFileSync(join(folder, '.env'), lines.join(''))
    writeFileSync(join(folder, '.env.project'), 'REGION=north\n')
    await compose(stack, ['up', '-d', '--build', '--wait', '--wait-timeout', '180'])
  })

  step('the first certificate', async () => {
    await until(
      () => servedSerial(stack),
      (serial) => serial !== undefined,
    )
    client = await secureClient(stack)
  })

  const expected = { verified: true, sum: 3, region: 'north', version: 'first' }

  step('a task by HTTPS, and one through a route of the project', async () => {
    const submitted = await send(client, 'POST', '/v1/tasks/native', { input: { text: 'hello' } })
    const ordered = await send(client, 'POST', '/orders')
    expect([submitted.status, ordered.status]).toEqual([202, 202])
    const ids = [submitted, ordered].map(({ body }) => (body as { id: string }).id)
    for (const { result } of await untilEnded(client, ids)) expect(result).toEqual(expected)
    expect((await send(client, 'GET', '/')).text).toContain('<title>Waggle')
  })

  step('the image has no settings, no tests and no second Node', async () => {
    const [api = ''] = await containersOf(stack, 'api')
    const found = await docker(['exec', api, 'find', '/app', '-maxdepth', '2', '-not', '-path', '*/.bin*'])
    expect(found).toContain('/app/node_modules/@node-rs')
    for (const name of ['.env', '.env.project', 'node_modules/node', 'node_modules/typescript'])
      expect(found.split('\n')).not.toContain(`/app/${name}`)
  })

  step('a rollout and a rollback under load', async () => {
    edit(join(folder, 'tasks/native.ts'), "version: 'first'", "version: 'second'")
    const build = ['WAGGLE_TAG=second', 'docker', 'compose', 'build', '-q']
    expect(await run('env', build, folder)).toMatchObject({ code: 0 })
    const stopping = new AbortController()
    const task = { name: 'native', input: { text: 'hello' } }
    const submitting = submitAtRate(client, { perSecond: 20, task, stopping: stopping.signal })
    expect(await run(`${scripts}/rollout.sh`, ['second'], folder)).toMatchObject({ code: 0 })
    const { body } = await send(client, 'POST', '/v1/tasks/native', { input: task.input })
    const [last] = await untilEnded(client, [(body as { id: string }).id])
    expect(last?.result).toEqual({ ...expected, version: 'second' })
    expect(await run(`${scripts}/rollout.sh`, ['rollback'], folder)).toMatchObject({ code: 0 })
    stopping.abort()
    const { accepted, refused } = await submitting
    expect(refused).toEqual({})
    const ended = await untilEnded(client, accepted)
    expect(ended.filter(({ status }) => status !== 'SUCCESS')).toEqual([])
    expect(new Set(ended.map(({ result }) => (result as typeof expected).version))).toEqual(
      new Set(['first', 'second']),
    )
  })

  step('a rollout starts a second kind of worker, and the next one replaces it', async () => {
    const [, kinds = ''] = /```yaml\n# workers.yml\n(.*?)```/s.exec(readRecipe('worker-kinds.md')) ?? []
    write(folder, { 'workers.yml': kinds })
    const submit = async () => {
      const { status, body } = await send(client, 'POST', '/v1/tasks/count_primes', {
        input: { below: 1_000 },
      })
      expect(status).toBe(202)
      return (body as { id: string }).id
    }
    // No worker of the first kind runs it.
    const waiting = await submit()
    const other = await send(client, 'POST', '/v1/tasks/native', { input: { text: 'hello' } })
    await untilEnded(client, [(other.body as { id: string }).id])
    expect((await send(client, 'GET', `/v1/tasks/${waiting}`)).body).toMatchObject({ status: 'PENDING' })
    edit(join(folder, '.env'), /^COMPOSE_FILE=.*$/m, '$&:workers.yml')
    const hosts: string[] = []
    for (const [tag, id] of [
      ['second', waiting],
      ['first', undefined],
    ] as const) {
      if (tag === 'first') await docker(['tag', `${stack.project}-app:second`, `${stack.project}-app:first`])
      if (tag === 'first') await docker(['tag', `${stack.project}-web:second`, `${stack.project}-web:first`])
      const { code, output } = await run(`${scripts}/rollout.sh`, [tag], folder)
      expect({ code, output }).toMatchObject({ code: 0 })
      const [ended] = await untilEnded(client, [id ?? (await submit())])
      const [container = ''] = await containersOf(stack, 'worker-cpu')
      expect(ended?.result).toEqual({ count: 168, host: container.slice(0, 12) })
      hosts.push(container)
    }
    expect(new Set(hosts).size).toBe(2)
    const [container = ''] = await containersOf(stack, 'worker-cpu')
    expect(await docker(['inspect', '-f', '{{.HostConfig.Memory}}', container])).toBe(`${2 * 1024 ** 3}`)
    expect(await docker(['exec', container, 'printenv', 'REGION'])).toBe('north')
  })

  step('a backup and its restore', async () => {
    expect(await run(`${scripts}/backup.sh`, ['backups'], folder)).toMatchObject({ code: 0 })
    const [backup = ''] = readdirSync(join(folder, 'backups')).filter((name) => name.endsWith('.dump'))
    const { code, output } = await run(`${scripts}/restore.sh`, [join('backups', backup)], folder)
    expect({ code, output }).toMatchObject({ code: 0 })
    const { body } = await send(client, 'GET', '/v1/tasks?name=count_primes')
    expect((body as { data: unknown[] }).data).toHaveLength(2)
  })

  step('a host without npm has the files of the package from the image of nginx', async () => {
    const before = await compose(stack, ['config', '--no-path-resolution'])
    const [nginx = ''] = await containersOf(stack, 'nginx')
    rmSync(join(folder, 'node_modules'), { recursive: true })
    mkdirSync(join(folder, 'node_modules'))
    await docker(['cp', '-q', `${nginx}:/usr/share/waggle/host`, 'node_modules/waggle-tasks'], folder)
    expect(await compose(stack, ['config', '--no-path-resolution'])).toBe(before)
    expect(await run(`${scripts}/rollout.sh`, ['rollback'], folder)).toMatchObject({ code: 0 })
  })
})

// Checks that the compose files, .env.example and the settings in src/config.ts name the same variables.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempDisposableSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

// `config` needs the plugin, but no engine.
const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const namesIn = (text: string, pattern: RegExp) =>
  [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))].sort()

const compose = [
  'docker-compose.yml',
  'docker-compose.project.yml',
  'docker-compose.https.yml',
  'docker-compose.hosts.yml',
  'docker-compose.aws.yml',
]
  .map(textOf)
  .join()
// `$${…}` is not a variable of Compose: a shell inside the container expands it.
const read = namesIn(compose, /(?<!\$)\$\{(\w+)/g)

test('.env.example documents exactly the variables that the compose files, Compose and rollout.sh read', () => {
  const documented = namesIn(textOf('.env.example'), /^(?:# )?([A-Z_]+)=/gm)
  // Variables that Compose itself and docker/rollout.sh read.
  const readElsewhere = ['COMPOSE_FILE', 'COMPOSE_PROFILES', 'WAGGLE_PREVIOUS_TAG']
  expect(documented).toEqual([...read, ...readElsewhere].sort())
})

test.skipIf(!hasCompose)('the example of a kind of worker in README.md extends the worker', () => {
  const example = /^services:\n {2}worker-cpu:\n(?: .*\n)+/m.exec(textOf('README.md'))?.[0] ?? ''
  const root = fileURLToPath(new URL('../..', import.meta.url))
  using folder = mkdtempDisposableSync(join(tmpdir(), 'waggle-compose-'))
  copyFileSync(join(root, 'docker-compose.yml'), join(folder.path, 'docker-compose.yml'))
  writeFileSync(join(folder.path, 'workers.yml'), example)
  const args = [
    'compose',
    '--profile',
    'worker',
    '-f',
    'docker-compose.yml',
    '-f',
    'workers.yml',
    'config',
    '--format',
    'json',
  ]
  const { stdout, stderr } = spawnSync('docker', args, { cwd: folder.path, encoding: 'utf8' })
  expect(stderr).toBe('')
  const { services } = JSON.parse(stdout)
  expect(Object.keys(services)).toEqual(['worker', 'worker-cpu'])
  const { environment, mem_limit, ...others } = services['worker-cpu']
  expect(environment).toEqual({
    ...services.worker.environment,
    WORKER_QUEUES: 'cpu',
    WORKER_CONCURRENCY: '4',
  })
  expect(mem_limit).toBe(String(2 * 1_024 ** 3))
  expect(services.worker).toMatchObject(others)
})

test('every setting of src/config.ts can be set in .env, except those that the image sets', () => {
  const settings = namesIn(textOf('src/config.ts'), /^ {2}([A-Z_]+): /gm)
  expect(settings.length).toBeGreaterThan(20)
  const setByImage = [...namesIn(textOf('docker/Dockerfile'), /([A-Z_]+)=/g), 'DATA_DIR']
  expect(settings.filter((name) => !read.includes(name) && !setByImage.includes(name))).toEqual([])
})

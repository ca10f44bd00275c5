// The compose files of a project, which include those of the installed package.
import { spawnSync } from 'node:child_process'
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNewProject, type NewProject } from '../support/new-project.ts'

// `config` needs the plugin, but no engine.
const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0
const RECIPE = new URL('../../docs/recipes/worker-kinds.md', import.meta.url)
const PACKAGE = 'node_modules/waggle-tasks'

let project: NewProject
beforeAll(async () => {
  project = await createNewProject('--containers')
})
afterAll(() => project.remove())

interface Service {
  image: string
  build?: {
    context: string
    dockerfile: string
    target: string
    additional_contexts?: Record<string, string>
  }
  environment: Record<string, string>
  ports?: { target: number }[]
}

function configOf(files: string[] = []) {
  const args = ['docker-compose.yml', ...files].flatMap((file) => ['-f', file])
  const { stdout, stderr } = spawnSync(
    'docker',
    ['compose', ...args, '--profile', '*', 'config', '--format', 'json'],
    { cwd: project.folder, encoding: 'utf8', env: { PATH: process.env.PATH, DOMAIN: 'tasks.example.com' } },
  )
  expect(stderr).toBe('')
  return JSON.parse(stdout) as {
    name: string
    services: Record<string, Service>
    networks: Record<string, { name: string }>
  }
}

describe.skipIf(!hasCompose)('docker-compose.yml of a project', () => {
  test('has the services of the package, built from the project, with names of its own', () => {
    const { name, services, networks } = configOf()
    const folder = realpathSync(project.folder)
    expect([name, networks.waggle?.name]).toEqual(['my-tasks', 'my-tasks'])
    for (const role of ['api', 'worker', 'worker-heavy', 'migrate', 'certificates'])
      expect(services[role]).toMatchObject({
        image: 'my-tasks-app:local',
        build: { context: folder, dockerfile: 'Dockerfile', target: 'app' },
      })
    expect(services.nginx).toMatchObject({
      image: 'my-tasks-web:local',
      build: { context: join(folder, PACKAGE, 'docker'), dockerfile: 'Dockerfile', target: 'web' },
    })
    expect(services.nginx?.build?.additional_contexts).toEqual({ package: join(folder, PACKAGE) })
  })

  test('gives the settings of the project to tasks and API, and not to the certificates', () => {
    const file = join(project.folder, '.env.project')
    writeFileSync(file, 'PAYMENTS_KEY=secret\n')
    const { services } = configOf()
    rmSync(file)
    const roles = Object.keys(services).filter((role) => services[role]?.environment?.PAYMENTS_KEY)
    expect(roles.toSorted()).toEqual(['api', 'migrate', 'worker', 'worker-heavy'])
  })

  test('can have HTTPS, which init-env.sh of the package adds', () => {
    const env = { PATH: process.env.PATH, DOMAIN: 'tasks.example.com' }
    const { status } = spawnSync(`${PACKAGE}/docker/init-env.sh`, { cwd: project.folder, env })
    const text = readFileSync(join(project.folder, '.env'), 'utf8')
    rmSync(join(project.folder, '.env'))
    expect(status).toBe(0)
    const https = `${PACKAGE}/docker-compose.https.yml`
    expect(text).toContain(`COMPOSE_FILE=docker-compose.yml:${https}\n`)
    const { nginx } = configOf([https]).services
    expect(nginx?.ports?.map(({ target }) => target)).toEqual([8080, 8443])
  })

  test('can have the kind of worker of the recipe, with the settings of the project; it is not built again', () => {
    const text = readFileSync(RECIPE, 'utf8')
    const example = /^services:\n {2}worker-cpu:\n(?: .*\n)+/m.exec(text)?.[0] ?? ''
    writeFileSync(join(project.folder, 'workers.yml'), example)
    const settings = join(project.folder, '.env.project')
    writeFileSync(settings, 'PAYMENTS_KEY=secret\n')
    const { services } = configOf(['workers.yml'])
    rmSync(settings)
    expect(services['worker-cpu']).toMatchObject({ image: 'my-tasks-app:local' })
    expect(services['worker-cpu']?.environment).toMatchObject({
      WORKER_QUEUES: 'cpu',
      WORKER_CONCURRENCY: '4',
      PAYMENTS_KEY: 'secret',
    })
    expect(services['worker-cpu']?.build).toBeUndefined()
  })
})

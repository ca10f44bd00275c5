// docker/docker-bake.hcl: how the images of a project are built for a registry.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNewProject, type NewProject } from '../support/new-project.ts'

// `--print` needs the plugin, but no engine.
const hasBuildx = spawnSync('docker', ['buildx', 'version']).status === 0
const BAKE = 'node_modules/waggle-tasks/docker/docker-bake.hcl'

let project: NewProject
beforeAll(async () => {
  project = await createNewProject('--aws')
})
afterAll(() => project.remove())

describe.skipIf(!hasBuildx)('docker buildx bake', () => {
  test('builds app on top of core, and both images from the package, and pushes only them', () => {
    const { stdout, stderr, status } = spawnSync(
      'docker',
      ['buildx', 'bake', '-f', BAKE, '--print', '--push'],
      {
        cwd: project.folder,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, REGISTRY: 'registry.example.com', COMMIT: '1234567' },
      },
    )
    expect({ status, stderr }).toMatchObject({ status: 0 })
    const { group, target } = JSON.parse(stdout)
    expect(group.default.targets).toEqual(['app', 'web'])
    const fromPackage = {
      context: 'node_modules/waggle-tasks/docker',
      dockerfile: 'Dockerfile',
      contexts: { package: 'node_modules/waggle-tasks' },
    }
    expect(target).toEqual({
      core: { ...fromPackage, target: 'core' },
      app: {
        context: '.',
        dockerfile: 'Dockerfile',
        contexts: { 'waggle-core': 'target:core' },
        target: 'app',
        tags: ['registry.example.com/waggle-app:1234567'],
        output: [expect.stringContaining('push=true')],
      },
      web: {
        ...fromPackage,
        target: 'web',
        tags: ['registry.example.com/waggle-web:1234567'],
        output: [expect.stringContaining('push=true')],
      },
    })
    // The context replaces the image of this name.
    expect(readFileSync(join(project.folder, 'Dockerfile'), 'utf8')).toContain(
      'ARG WAGGLE_CORE_IMAGE=waggle-core\n',
    )
  })
})

// `waggle init --aws`: what it writes, and that its commands run. The tests of the package compare its Terraform.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import infraJson from '../../infra-cdktf/package.json' with { type: 'json' }
import packageJson from '../../package.json' with { type: 'json' }
import { AWS_SCRIPTS } from '../../src/templates/aws-files.ts'
import { CHILD_ENVIRONMENT } from '../support/child-environment.ts'
import { createNewProject } from '../support/new-project.ts'
import { runCommand } from '../support/run-command.ts'

const FILES = [
  '.github/workflows/deploy.yml',
  'infra-cdktf/.gitignore',
  'infra-cdktf/account.ts',
  'infra-cdktf/cdktf.json',
  'infra-cdktf/environments.ts',
  'infra-cdktf/main.ts',
  'infra-cdktf/package.json',
]
const CONTAINER_FILES = ['.dockerignore', 'Dockerfile', 'docker-compose.yml']

async function newProject(...options: string[]): Promise<string> {
  const { folder, remove } = await createNewProject(...options)
  onTestFinished(remove)
  return folder
}

const read = (folder: string, path: string) => readFileSync(join(folder, path), 'utf8')
const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.startsWith('node_modules/'))

describe('init --aws', () => {
  test('writes a new project with its infrastructure, workflow, image and scripts', async () => {
    const folder = await newProject('--aws')
    expect(filesOf(folder)).toEqual(
      expect.arrayContaining([...FILES, ...CONTAINER_FILES, 'waggle.config.ts']),
    )
    expect(JSON.parse(read(folder, 'package.json')).scripts).toMatchObject({
      ...AWS_SCRIPTS,
      test: 'vitest run',
    })
    expect(read(folder, 'infra-cdktf/main.ts')).toContain(
      "smokeTask: { name: 'hello', input: { name: 'Ada' } }",
    )
    expect(read(folder, 'infra-cdktf/account.ts')).toContain("repository: 'my-tasks'")
    for (const path of FILES) expect(read(folder, path), path).not.toMatch(/(?<!\$)\{\{/)
    // A saved plan contains the whole state.
    expect(read(folder, '.dockerignore')).toMatch(/^infra-cdktf$/m)
  })

  test('adds to an existing project what is missing, and says what to do', async () => {
    const folder = await newProject()
    const before = filesOf(folder)
    const manifest = read(folder, 'package.json')
    const own = manifest.replace('"types":', '"infra:plan": "make plan",\n    "types":')
    writeFileSync(join(folder, 'package.json'), own)
    const { code, stdout } = await runCommand(['init', folder, '--aws'])
    expect(code).toBe(0)
    const added = filesOf(folder).filter((path) => !before.includes(path))
    expect(added.toSorted()).toEqual([...CONTAINER_FILES, ...FILES].toSorted())
    const { scripts, ...others } = JSON.parse(read(folder, 'package.json'))
    expect({ ...others, scripts: { types: scripts.types } }).toMatchObject(
      Object.fromEntries(Object.entries(JSON.parse(manifest)).filter(([name]) => name !== 'scripts')),
    )
    expect(scripts).toEqual({
      ...JSON.parse(manifest).scripts,
      ...AWS_SCRIPTS,
      'infra:plan': 'make plan',
    })
    expect(stdout).toMatch(/^Wrote:\n(?: {2}\S+\n)+Added these scripts to package\.json:\n {2}infra:synth /)
    expect(stdout).toContain('package.json keeps its own scripts:\n  infra:plan\n')
    expect(stdout).toContain('npm run infra:apply -- shared --first')
    // Its tasks are not known.
    expect(read(folder, 'infra-cdktf/main.ts')).toContain("// smokeTask: { name: 'a_task', input: {} },")
    const again = await runCommand(['init', folder, '--aws'])
    expect(again).toMatchObject({ code: 1, stdout: '' })
    expect(again.stderr).toMatch(/ already has \.github.*infra-cdktf\/package\.json: nothing was written\n$/)
  })

  test('leaves an image that the project has, and says what must not be in it', async () => {
    const folder = await newProject()
    const files = { Dockerfile: 'FROM waggle-core\n', '.dockerignore': 'node_modules\n' }
    for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
    const { code, stdout } = await runCommand(['init', folder, '--aws'])
    expect(code).toBe(0)
    for (const [path, text] of Object.entries(files)) expect(read(folder, path)).toBe(text)
    expect(existsSync(join(folder, 'docker-compose.yml'))).toBe(false)
    expect(stdout).toContain('Add this line to .dockerignore')
  })

  test('writes nothing if package.json cannot be read', async () => {
    const folder = await newProject()
    const before = filesOf(folder)
    writeFileSync(join(folder, 'package.json'), '{')
    expect(await runCommand(['init', folder, '--aws'])).toMatchObject({ code: 1 })
    rmSync(join(folder, 'package.json'))
    expect(await runCommand(['init', folder, '--aws'])).toMatchObject({ code: 1 })
    expect(filesOf(folder)).toEqual(before.filter((path) => path !== 'package.json'))
  })

  test('requires the versions of cdktf with which this repository is tested, and no others', () => {
    const { aws } = JSON.parse(read(join(import.meta.dirname, '../..'), 'templates/dependencies.json'))
    const { zod, ...dependencies } = infraJson.dependencies
    expect(aws).toEqual({ dependencies, devDependencies: {} })
  })
})

describe('this repository', () => {
  test('has the same scripts as a project', () => {
    const own = Object.entries(packageJson.scripts).filter(([, script]) =>
      script.includes('infra-cdktf/main.ts'),
    )
    expect(Object.fromEntries(own)).toEqual(AWS_SCRIPTS)
  })

  test('calls the same function in the same way', () => {
    const root = join(import.meta.dirname, '../..')
    const [own, template] = ['infra-cdktf/main.ts', 'templates/aws/infra-cdktf/main.ts'].map((path) =>
      read(root, path)
        .replace(/^import \{ run \} from '(?:waggle-tasks\/aws|\.\/src\/run\.ts)'\n/m, '')
        .replace(/^.*smokeTask.*$/m, ''),
    )
    expect(own).toBe(template)
  })
})

describe('a command of a project', () => {
  function npm(folder: string, ...args: string[]) {
    const { status, stdout, stderr } = spawnSync('npm', args, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...CHILD_ENVIRONMENT, npm_config_update_notifier: 'false' },
    })
    return { status, output: stdout + stderr }
  }

  test('that needs cdktf says how to install it', async () => {
    const folder = await newProject('--aws')
    expect(npm(folder, 'run', '-s', 'infra:plan', '--', 'prod')).toEqual({
      status: 1,
      output: `cdktf is not installed in ${join(folder, 'infra-cdktf')}. Run: npm install --prefix infra-cdktf\n`,
    })
  })

  test('that does not exist prints all commands, also without cdktf', async () => {
    const folder = await newProject('--aws')
    const { status, output } = npm(folder, 'exec', '--', 'node', 'infra-cdktf/main.ts', 'help')
    expect(status).toBe(1)
    for (const name of Object.keys(AWS_SCRIPTS)) expect(output).toContain(`npm run ${name} --`)
  })
})

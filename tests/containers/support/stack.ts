// Runs all of Waggle in containers, from a copy of this checkout, with its docker-compose.yml and an .env
// from docker/init-env.sh.
import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../../src/embedded/child-server.ts'
import { docker, run } from './docker.ts'
import { COUNTER_HOST } from './run-counter.ts'

/** Plain data, because vitest serializes it from the global setup to the test files. */
export interface Stack {
  folder: string
  project: string
  url: string
  apiKey: string
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
// Unique for this process, so that the tests do not touch another stack on the same machine.
const NAME = `waggle-test-${process.pid}`
export const TAGS = ['first', 'second'] as const

/** Builds the images of both versions and starts the first version. */
export async function startStack(): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-stack-'))
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: ROOT })
  for (const file of String(listed).split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    cpSync(join(ROOT, file), join(folder, file))
  }
  const port = await freePort()
  const { output } = await run('docker/init-env.sh', [], folder)
  const apiKey = /wgl_\w+/.exec(output)?.[0] ?? ''
  appendFileSync(
    join(folder, '.env'),
    [
      `WAGGLE_PORT=127.0.0.1:${port}`,
      `COMPOSE_PROJECT_NAME=${NAME}`,
      `WAGGLE_NETWORK=${NAME}`,
      `WAGGLE_IMAGE=${NAME}/app`,
      `WAGGLE_WEB_IMAGE=${NAME}/web`,
      `WAGGLE_TAG=${TAGS[0]}`,
      // No task of these tests runs for minutes.
      'SHUTDOWN_GRACE_SECONDS=10',
      `HTTP_REQUEST_ALLOW=${COUNTER_HOST}`,
      '',
    ].join('\n'),
  )
  const stack = { folder, project: NAME, url: `http://127.0.0.1:${port}`, apiKey }
  await compose(stack, ['build', '-q'])
  await buildSecondVersion(stack)
  await compose(stack, ['up', '-d', '--wait', '--wait-timeout', '180'])
  return stack
}

export async function removeStack(stack: Stack): Promise<void> {
  await compose(stack, ['down', '-v', '--remove-orphans', '-t', '10'])
  const images = await docker(['images', '-q', `${stack.project}/*`])
  const ids = [...new Set(images.split('\n').filter(Boolean))]
  if (ids.length > 0) await docker(['rmi', '-f', ...ids])
  rmSync(stack.folder, { recursive: true, force: true })
}

export function compose(stack: Stack, args: string[]): Promise<string> {
  return docker(['compose', '--progress', 'quiet', ...args], stack.folder)
}

/** Returns the ids of the running containers of a service. */
export async function containersOf(stack: Stack, service: string): Promise<string[]> {
  return (await compose(stack, ['ps', '-q', service])).split('\n').filter(Boolean)
}

/** Builds images whose version and page title differ from the first version. */
async function buildSecondVersion(stack: Stack): Promise<void> {
  const originals = ['package.json', 'web/index.html'].map((name) => {
    const path = join(stack.folder, name)
    return { path, text: readFileSync(path, 'utf8') }
  })
  for (const { path, text } of originals)
    writeFileSync(
      path,
      text.replace(/"version": "[^"]+"/, '"version": "99.0.0"').replace('<title>Waggle', '<title>Second'),
    )
  const { code, output } = await run(
    'env',
    [`WAGGLE_TAG=${TAGS[1]}`, 'docker', 'compose', 'build', '-q'],
    stack.folder,
  )
  for (const { path, text } of originals) writeFileSync(path, text)
  if (code !== 0) throw new Error(`Building the second version failed: ${output}`)
}

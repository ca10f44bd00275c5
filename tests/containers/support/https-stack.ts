// Runs all of Waggle with HTTPS, from the images of the other stack, beside an ACME server.
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './docker.ts'
import { addPebble, DOMAIN, type HttpsStack } from './pebble.ts'
import { compose, type Stack, TAGS } from './stack.ts'

/** @param validitySeconds lifetime of the certificates */
export async function startHttpsStack(other: Stack, validitySeconds: number): Promise<HttpsStack> {
  const folder = mkdtempSync(join(tmpdir(), 'waggle-https-'))
  for (const name of ['docker', 'docker-compose.yml', 'docker-compose.https.yml'])
    cpSync(join(other.folder, name), join(folder, name), { recursive: true })
  const project = `${other.project}-https`
  const { output } = await run('env', [`DOMAIN=${DOMAIN}`, 'docker/init-env.sh'], folder)
  const apiKey = /wgl_\w+/.exec(output)?.[0] ?? ''
  // removeStack removes all images with this prefix.
  const urls = await addPebble(folder, { image: `${other.project}/pebble`, validitySeconds })
  const settings = {
    COMPOSE_PROJECT_NAME: project,
    WAGGLE_NETWORK: project,
    WAGGLE_IMAGE: `${other.project}/app`,
    WAGGLE_WEB_IMAGE: `${other.project}/web`,
    WAGGLE_TAG: TAGS[0],
    SHUTDOWN_GRACE_SECONDS: '10',
  }
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`)
  appendFileSync(join(folder, '.env'), lines.join(''))
  const stack = { folder, project, apiKey, ...urls }
  await compose(stack, ['up', '-d', '--wait', '--no-build', '--wait-timeout', '180'])
  return stack
}

export async function removeHttpsStack(stack: HttpsStack): Promise<void> {
  await compose(stack, ['down', '-v', '--remove-orphans', '-t', '10'])
  rmSync(stack.folder, { recursive: true, force: true })
}
